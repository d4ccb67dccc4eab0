/// The full name of a collection: its database and its own name.
public struct Namespace: Hashable, Sendable, CustomStringConvertible {
    /// The database's name.
    public let database: String
    /// The collection's name within the database; it may contain dots.
    public let collection: String

    /// Names a collection.
    public init(_ database: String, _ collection: String) {
        self.database = database
        self.collection = collection
    }

    /// The server's own spelling, `database.collection`.
    public var description: String { "\(database).\(collection)" }
}
