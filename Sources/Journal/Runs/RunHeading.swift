package import BSON
internal import MongoDriver

/// Who ran what, and when: the beginning of a run's record.
package struct RunHeading: Sendable {
    /// The run's id.
    package let id: ObjectID
    /// Its command.
    package let command: String
    /// When it began, in milliseconds since 1970.
    package let startedAt: Int64?
    /// The operating system's user who ran it.
    package let user: String?
    /// The machine it was run from.
    package let host: String?
    /// The run that it undid.
    package let undoes: ObjectID?
    /// Its lease's token, which grows from run to run.
    private let token: Int64?

    /// Reads the headings of all runs, oldest first: in the order in which they had the lease, whatever the clocks of the
    /// machines said.
    ///
    /// - Throws: ``StateError``, `MongoError`.
    package static func list(_ database: Database) async throws -> [RunHeading] {
        var projection: BSONDocument = [:]
        for name in ["command", "startedAt", "user", "host", "undoes", "token"] { projection.append(name, 1) }
        let headings = try await database.findAll(
            StateCollection.runs, filter: [:], options: ["projection": .document(projection)]
        ).map { try RunHeading(reading: StateFields(StateCollection.runs, $0)) }
        return headings.sorted {
            ($0.token ?? .min, $0.startedAt ?? 0, $0.id) < ($1.token ?? .min, $1.startedAt ?? 0, $1.id)
        }
    }

    /// The heading of a record.
    package init(_ record: RunRecord) {
        (id, command, startedAt) = (record.id, record.command, record.startedAt)
        (user, host, undoes, token) = (record.user, record.host, nil, nil)
    }

    private init(reading fields: StateFields) throws(StateError) {
        id = try fields.require("_id", .objectID)
        command = try fields.require("command", .text)
        startedAt = try fields.read("startedAt", .date)
        user = try fields.read("user", .text)
        host = try fields.read("host", .text)
        undoes = try fields.read("undoes", .objectID)
        token = try fields.read("token", .token)
    }
}
