/// The server's rules for the names of databases, and one more: a name that can't be seen isn't meant.
enum DatabaseName {
    /// Why a name can't be used, or nil. The name isn't in it: it may be a connection string with a password.
    static func objection(to name: String) -> String? {
        if name.isEmpty { return "A database's name can't be empty." }
        if name.utf8.count > 63 { return "A database's name has at most 63 bytes." }
        let forbidden = Set("/\\. \"$*<>:|?".unicodeScalars)
        for scalar in name.unicodeScalars {
            if forbidden.contains(scalar) { return "A database's name can't contain `\(scalar)`." }
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .unassigned, .privateUse:
                let code = String(scalar.value, radix: 16, uppercase: true)
                return "A database's name can't contain a character that nobody sees, such as this one's U+\(code)."
            default: continue
            }
        }
        return nil
    }
}
