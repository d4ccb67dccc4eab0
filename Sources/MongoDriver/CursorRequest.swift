internal import BSON

/// The command that opens a cursor, and how it is sent.
struct CursorRequest {
    /// The database that the command runs on.
    let database: String
    /// The command: `find`, `aggregate`, `listCollections` or `listIndexes`.
    let command: BSONDocument
    /// What libmongoc is given besides, because a session has a say in it: `readConcern`.
    let options: BSONDocument
    /// Which members may answer; nil means the primary.
    let readPreference: ReadPreference?
    /// The session or transaction of the caller.
    let session: ClientSession?
    /// Whether it writes its results into a collection: it goes to the primary, and never twice.
    let isWriting: Bool

    /// Makes a request of a command's beginning and the rest of its elements, as callers give them.
    ///
    /// - Parameters:
    ///   - command: The beginning of the command.
    ///   - database: The database that it runs on.
    ///   - rest: The rest of it, with `batchSize` where `find` has it, and `readConcern`.
    ///   - isAggregate: Whether `batchSize` belongs into `cursor`.
    ///   - isWriting: Whether it writes its results into a collection.
    init(
        _ command: BSONDocument, on database: String, _ rest: BSONDocument = [:], isAggregate: Bool = false,
        isWriting: Bool = false, readPreference: ReadPreference? = nil, session: ClientSession? = nil
    ) {
        var command = command
        var options: BSONDocument = [:]
        let batchSize = rest["batchSize"]
        for element in rest.rawElements {
            switch element.key {
            case "readConcern": options.append(raw: element)
            case "batchSize" where isAggregate: continue
            default: command.append(raw: element)
            }
        }
        if isAggregate { command.append("cursor", .document(batchSize.map { ["batchSize": $0] } ?? [:])) }
        (self.database, self.command, self.options) = (database, command, options)
        (self.readPreference, self.session, self.isWriting) = (readPreference, session, isWriting)
    }
}
