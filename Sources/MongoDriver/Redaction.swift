/// Keeps credentials out of everything that is printed, logged or stored.
package enum Redaction {
    private static let schemes = ["mongodb://", "mongodb+srv://"]

    /// Replaces the credentials of every connection string within a text by `***`.
    ///
    /// A connection string is recognised by `mongodb://` or `mongodb+srv://`, in whatever case. What stands between that
    /// and the last `@` of the line is replaced: a password that nobody encoded may hold spaces and quotes too. So is
    /// everything after a `?`, where passwords of key files can stand.
    package static func redact(_ text: String) -> String {
        var result = ""
        var rest = Substring(text)
        while let scheme = nextScheme(in: rest) {
            let before = rest[..<scheme.lowerBound]
            result += before
            result += rest[scheme]
            rest = rest[scheme.upperBound...]
            let line = rest[..<(nextScheme(in: rest)?.lowerBound ?? rest.endIndex)].prefix { !$0.isNewline }
            rest = rest[line.endIndex...]
            // An argument that is a connection string, or an option with one, ends where that ends.
            result += redactAfterScheme(line, isArgument: before.isEmpty || before.last == "=")
        }
        return result + rest
    }

    /// Replaces what a message quotes by `…`: libmongoc quotes parts of connection strings, passwords among them, that
    /// can't be told from harmless ones.
    static func withoutQuotations(_ message: String) -> String {
        // Without this exception the only harmless quotations, the schemes themselves, would be lost.
        if message.hasPrefix("Invalid URI Schema") { return "it doesn't begin with mongodb:// or mongodb+srv://." }
        var message = message
        for (opening, closing) in [("\"", "\""), ("'", "'"), ("[", "]")] as [(Character, Character)] {
            // From the first to the last: what is quoted may hold quotation marks too.
            guard let first = message.firstIndex(of: opening), let last = message.lastIndex(of: closing), first < last
            else { continue }
            message.replaceSubrange(message.index(after: first)..<last, with: "…")
        }
        return message
    }

    private static func nextScheme(in text: Substring) -> Range<Substring.Index>? {
        var index = text.startIndex
        while let separator = text[index...].firstRange(of: "://") {
            let before = text[..<separator.lowerBound].suffix(schemes[1].count).lowercased()
            for scheme in schemes where before.hasSuffix(scheme.dropLast(3)) {
                return text.index(separator.lowerBound, offsetBy: 3 - scheme.count)..<separator.upperBound
            }
            index = separator.upperBound
        }
        return nil
    }

    private static func redactAfterScheme(_ line: Substring, isArgument: Bool) -> String {
        let end = line.lastIndex(of: "@")
        let hosts = end.map { line[line.index(after: $0)...] } ?? line
        let word = hosts.prefix { !$0.isWhitespace && $0 != "\"" && $0 != "'" }
        let address = word.prefix { $0 != "?" }
        let hasQuery = address.endIndex < word.endIndex
        let query = hasQuery ? "?***" : ""
        let tail = hasQuery && isArgument ? "" : hosts[word.endIndex...]
        if end != nil { return "***@\(address)\(query)\(tail)" }
        return (isAddress(address) ? String(address) : "***") + query + tail
    }

    /// Whether a text is a list of hosts with their ports, and perhaps a database, and not a user and the beginning of
    /// a password whose `@` was cut off.
    private static func isAddress(_ text: Substring) -> Bool {
        var hosts = text.prefix { $0 != "/" }
        // The punctuation of the sentence that it stands in.
        while let last = hosts.last, ".,;:)".contains(last) { hosts.removeLast() }
        return hosts.split(separator: ",").allSatisfy { host in
            // An IPv6 address has colons of its own, within brackets.
            let name = host.hasPrefix("[") ? host[(host.firstIndex(of: "]") ?? host.startIndex)...] : host
            let port = name.firstIndex(of: ":").map { name[name.index(after: $0)...] } ?? ""
            return port.allSatisfy { $0.isASCII && $0.isNumber }
        }
    }
}
