internal import Foundation

/// The `.env` file of a Python application, read as python-dotenv reads it
/// (https://saurabh-kumar.com/python-dotenv/#file-format): `export`, quotes of both kinds, comments.
enum DotEnv {
    /// The variables of a file; the last one of a name counts.
    static func parse(_ text: String) -> [String: String] {
        var variables: [String: String] = [:]
        var lines = (text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...])
            .split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)[...]
        while let line = lines.popFirst() {
            guard var (name, value) = parse(line: line) else { continue }
            // A quoted value may go on over several lines; one that never ends is dropped with its line.
            var rest = lines
            while !isComplete(value), let next = rest.popFirst() { value += "\n" + next }
            guard isComplete(value) else { continue }
            lines = rest
            name = name.trimmingCharacters(in: .whitespaces)
            variables[name] = unquoted(value)
        }
        return variables
    }

    /// Whether a value isn't quoted, or its quote is closed.
    private static func isComplete(_ value: String) -> Bool {
        guard let quote = value.first, quote == "'" || quote == "\"" else { return true }
        var isEscaped = false
        for character in value.dropFirst() {
            if isEscaped {
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == quote {
                return true
            }
        }
        return false
    }

    private static func parse(line: Substring) -> (name: String, value: String)? {
        var line = line.trimmingCharacters(in: .whitespaces)[...]
        if line.hasPrefix("export ") { line = line.dropFirst("export ".count) }
        guard !line.hasPrefix("#"), let equals = line.firstIndex(of: "=") else { return nil }
        let name = line[..<equals].trimmingCharacters(in: .whitespaces)
        let value = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
        return name.isEmpty ? nil : (name, value)
    }

    private static func unquoted(_ text: String) -> String {
        guard let quote = text.first, quote == "'" || quote == "\"" else { return uncommented(text) }
        var result = ""
        var isEscaped = false
        for character in text.dropFirst() {
            if isEscaped {
                result.append(unescaped(character, quote))
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == quote {
                return result
            } else {
                result.append(character)
            }
        }
        return result
    }

    private static func unescaped(_ character: Character, _ quote: Character) -> String {
        if character == quote || character == "\\" { return String(character) }
        if quote == "\"", character == "n" { return "\n" }
        if quote == "\"", character == "t" { return "\t" }
        return "\\" + String(character)
    }

    /// Without quotes, a number sign after white space begins a comment.
    private static func uncommented(_ text: String) -> String {
        guard let range = text.range(of: #"\s#.*$"#, options: .regularExpression) else { return text }
        return text[..<range.lowerBound].trimmingCharacters(in: .whitespaces)
    }
}
