/// Keeps credentials out of everything that is printed, logged or stored.
public enum Redaction {
    /// Replaces the credentials of every connection string within a text by `***`.
    ///
    /// A connection string is recognised by `mongodb://` or `mongodb+srv://`; what stands between that and its last
    /// `@` before white space is replaced, and so is everything after a `?`, where passwords of key files can stand.
    public static func redact(_ text: String) -> String {
        guard text.contains("mongodb") else { return text }
        var result = ""
        var rest = Substring(text)
        while let (prefix, scheme) = nextScheme(in: rest) {
            result += prefix
            result += scheme
            rest = rest.dropFirst(prefix.count + scheme.count)
            let word = rest.prefix { !$0.isWhitespace && $0 != "\"" && $0 != "'" }
            rest = rest.dropFirst(word.count)
            result += redactAfterScheme(word)
        }
        return result + rest
    }

    private static func nextScheme(in text: Substring) -> (prefix: Substring, scheme: String)? {
        let schemes = ["mongodb://", "mongodb+srv://"]
        var index = text.startIndex
        while index < text.endIndex {
            if let scheme = schemes.first(where: { text[index...].hasPrefix($0) }) {
                return (text[..<index], scheme)
            }
            index = text.index(after: index)
        }
        return nil
    }

    private static func redactAfterScheme(_ word: Substring) -> String {
        let afterCredentials = word.lastIndex(of: "@").map { "***@" + word[word.index(after: $0)...] } ?? String(word)
        guard let query = afterCredentials.firstIndex(of: "?") else { return afterCredentials }
        return afterCredentials[..<query] + "?***"
    }
}
