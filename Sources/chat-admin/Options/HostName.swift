/// What may stand in `MONGO_HOST`.
enum HostName {
    /// Why a text isn't a host's name or address, to stand behind the variable's name, or nil. The text isn't in it: it may
    /// be a connection string with a password.
    static func objection(to text: String) -> String? {
        let name = text.hasPrefix("[") && text.hasSuffix("]") ? text.dropFirst().dropLast() : text[...]
        if name.contains("://") || name.contains("@") {
            return "holds a connection string; put that into CHAT_ADMIN_URI."
        }
        let colons = name.count { $0 == ":" }
        if colons == 1 || text.hasPrefix("[") && !text.hasSuffix("]") { return "holds a port; put it into MONGO_PORT." }
        if name.contains(",") { return "names several hosts; put a connection string into CHAT_ADMIN_URI." }
        let isHost = name.unicodeScalars.allSatisfy { scalar in
            scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
                || "-._:%".unicodeScalars.contains(scalar)
        }
        return isHost && !name.isEmpty ? nil : "must be a host's name or address."
    }
}
