/// The server and the database that a command works on, and where each was named.
struct Place: Encodable, Sendable {
    /// The server's addresses, as they were given.
    let hosts: [String]
    /// Where the server was named, such as `--uri`, or `MONGO_HOST in .env`; nil where nothing names one.
    let from: String?
    /// How it is reached where it was named by a container's name, such as
    /// `mongo:27017 -> 127.0.0.1:27018 (published port)`; nil elsewhere.
    let mapping: String?
    /// The database. (Results name it themselves.)
    let database: String
    /// Where the database was named; nil where nothing names one.
    let databaseFrom: String?
    /// The server's version, once it has answered.
    var version: String?
    /// What kind of deployment it is, once it has answered.
    var topology: String?

    private enum CodingKeys: String, CodingKey {
        case hosts, from, mapping, databaseFrom, version, topology
    }

    /// The first line that a command prints on standard error.
    var line: String {
        let hosts = hosts.joined(separator: ",")
        let source = { (from: String?) in from.map { "from \($0)" } ?? "by default" }
        let server = source(from) + (mapping.map { "; \($0)" } ?? "")
        guard from != databaseFrom else { return "Database \(database) at \(hosts) (\(server))." }
        return "Database \(database) (\(source(databaseFrom))) at \(hosts) (\(server))."
    }
}

/// A result, and the place that it is about.
struct Placed<Result: Encodable>: Encodable {
    let result: Result
    let server: Place?

    private enum CodingKeys: String, CodingKey {
        case server
    }

    func encode(to encoder: any Encoder) throws {
        try result.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(server, forKey: .server)
    }
}
