/// Replaces variables as Docker Compose does in its files (https://docs.docker.com/reference/compose-file/interpolation/).
///
/// `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`, `${NAME?message}`, `${NAME:+other}` and
/// `${NAME+other}`, one within another too; `$$` is a dollar sign. Where Compose takes nothing for a variable that isn't
/// set, and warns, this refuses: another server would be worked on.
struct Interpolation: Sendable {
    /// Why a text can't be used, to stand behind a colon. No value is in it: it may be a password.
    struct Problem: Error, Equatable {
        let reason: String
    }

    /// Deeper nesting is refused: it is read by recursion.
    private static let deepest = 16

    private let variables: [String: String]
    /// Those whose value in `.env` names other variables.
    private let chained: Set<String>

    /// Takes the variables of the environment and, weaker, those of `.env`.
    init(environment: [String: String], dotEnv: [String: String]) {
        variables = dotEnv.merging(environment) { $1 }
        chained = Set(dotEnv.keys.filter { environment[$0] == nil && dotEnv[$0]?.contains("${") == true })
    }

    /// A variable's value; nil where it isn't set.
    ///
    /// - Throws: ``Problem``.
    func value(of name: String) throws -> String? {
        guard !chained.contains(name) else {
            throw Problem(reason: "the variable \(name) names another one in .env; write its value there")
        }
        return variables[name]
    }

    /// A text with its variables replaced.
    ///
    /// - Throws: ``Problem``.
    func text(_ text: String) throws -> String { try expand(text[...], 0) }

    private func expand(_ text: Substring, _ depth: Int) throws -> String {
        guard depth <= Self.deepest else { throw Problem(reason: "its variables are nested too deeply") }
        var result = ""
        var rest = text
        while let dollar = rest.firstIndex(of: "$") {
            result.append(contentsOf: rest[..<dollar])
            rest = rest[rest.index(after: dollar)...]
            if rest.first == "$" {
                result.append("$")
                rest = rest.dropFirst()
            } else if rest.first == "{" {
                let inner = rest.dropFirst()
                guard let end = Self.end(inner) else { throw Problem(reason: "a `${` in it isn't closed") }
                result.append(contentsOf: try braced(inner[..<end], depth))
                rest = inner[inner.index(after: end)...]
            } else {
                let name = Self.name(rest)
                result.append(contentsOf: try name.isEmpty ? "$" : needed(name))
                rest = rest.dropFirst(name.count)
            }
        }
        result.append(contentsOf: rest)
        return result
    }

    /// What stands between braces.
    private func braced(_ text: Substring, _ depth: Int) throws -> String {
        let name = Self.name(text)
        guard !name.isEmpty else { throw Problem(reason: "a `${…}` in it names no variable") }
        var rest = text.dropFirst(name.count)
        guard !rest.isEmpty else { return try needed(name) }
        let wantsText = rest.first == ":"
        if wantsText { rest = rest.dropFirst() }
        let value = try self.value(of: name).flatMap { wantsText && $0.isEmpty ? nil : $0 }
        let word = rest.dropFirst()
        switch rest.first {
        case "-":
            if let value { return value }
            return try expand(word, depth + 1)
        case "+": return try value == nil ? "" : expand(word, depth + 1)
        case "?":
            if let value { return value }
            let message = word.isEmpty ? "" : " (\(word))"
            throw Problem(reason: "the variable \(name) has to be set, in the environment or in .env\(message)")
        default: throw Problem(reason: "a `${\(name)…}` in it isn't of a form that Docker Compose knows")
        }
    }

    private func needed(_ name: String) throws -> String {
        if let value = try self.value(of: name) { return value }
        throw Problem(
            reason: "the variable \(name) is set neither in the environment nor in .env; set it, or give it a default: "
                + "${\(name):-…}")
    }

    /// The name that a text begins with; empty where there is none.
    private static func name(_ text: Substring) -> String {
        let name = text.prefix { $0 == "_" || $0.isASCII && ($0.isLetter || $0.isNumber) }
        return name.first?.isNumber == true ? "" : String(name)
    }

    /// Where the brace stands that closes one in front of a text.
    private static func end(_ text: Substring) -> Substring.Index? {
        var open = 0
        var last: Character?
        for index in text.indices {
            switch text[index] {
            case "{" where last == "$": open += 1
            case "}" where open == 0: return index
            case "}": open -= 1
            default: break
            }
            last = text[index]
        }
        return nil
    }
}
