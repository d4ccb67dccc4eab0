internal import Foundation

/// The `.env` file of a Python application, read as python-dotenv reads it
/// (https://saurabh-kumar.com/python-dotenv/#file-format): `export`, quotes of both kinds, comments.
enum DotEnv {
    /// The variables of a file; the last one of a name counts.
    static func parse(_ text: String) -> [String: String] {
        var variables: [String: String] = [:]
        let withoutMark = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        for line in withoutMark.split(whereSeparator: \.isNewline) {
            guard let (name, value) = parse(line: line) else { continue }
            variables[name] = value
        }
        return variables
    }

    private static func parse(line: Substring) -> (name: String, value: String)? {
        var line = line.trimmingCharacters(in: .whitespaces)[...]
        if line.hasPrefix("export ") { line = line.dropFirst("export ".count) }
        guard !line.hasPrefix("#"), let equals = line.firstIndex(of: "=") else { return nil }
        let name = line[..<equals].trimmingCharacters(in: .whitespaces)
        let value = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
        return name.isEmpty ? nil : (name, unquoted(value))
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
        return text  // The quote is never closed: it belongs to the value.
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
