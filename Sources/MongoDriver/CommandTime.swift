internal import BSON

/// How long a command may take before its connection counts as lost.
enum CommandTime {
    /// In milliseconds.
    private static let soon: Int64 = 60_000

    /// Commands whose work doesn't grow with the data: they describe, or change one document or a collection's options.
    /// All others may take as long as `socketTimeoutMS` says: reads, writes of many documents, index builds.
    private static let quick: Set<String> = [
        "aborttransaction", "buildinfo", "collmod", "committransaction", "connectionstatus", "create", "dropindexes",
        "endsessions", "findandmodify", "getparameter", "hello", "hostinfo", "killcursors", "listcollections",
        "listdatabases", "listindexes", "ping", "replsetgetstatus", "rolesinfo", "serverstatus", "usersinfo",
    ]

    /// Whether a command is one of those, or the server is to end it soon.
    static func isQuick(_ command: BSONDocument) -> Bool {
        if let limit = command["maxTimeMS"]?.integer, (1...soon).contains(limit) { return true }
        guard let name = command.rawElements.first(where: { _ in true })?.key else { return true }
        return quick.contains(name.lowercased())
    }
}
