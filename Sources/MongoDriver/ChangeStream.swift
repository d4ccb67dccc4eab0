package import BSON

/// What changes in a database of a replica set, in the order in which it does, as far as a majority of the members has it.
///
/// It lives on its client's executor: while ``next(waiting:)`` waits, that client does nothing else.
package struct ChangeStream: Sendable {
    let client: MongoClient
    let identifier: Int

    /// Where to begin.
    package enum Start: Sendable {
        /// With what comes next.
        case now
        /// After a place of an earlier stream.
        case after(ResumeToken)
    }

    /// What came of one look.
    package struct Batch: Sendable {
        /// The events; empty where nothing has changed.
        package let events: [BSONDocument]
        /// The place after them.
        package let token: ResumeToken
    }

    /// Takes what has come, or waits for it.
    ///
    /// - Parameter limit: How long to wait where nothing has come; at least a millisecond.
    /// - Throws: ``MongoError``: the stream is at its end then, and another one may resume it.
    package func next(waiting limit: Duration) async throws -> Batch {
        try await client.nextChanges(identifier, waiting: limit)
    }

    /// Closes the stream, on the server too.
    package func close() async { await client.closeCursor(identifier) }
}

/// A place in what has happened on a replica set.
package struct ResumeToken: Sendable, Equatable {
    /// As the server gave it, to be given back.
    package let document: BSONDocument

    /// Takes one that was kept.
    package init(_ document: BSONDocument) { self.document = document }

    /// The moment of the place, as replica sets count time; nil where the token doesn't say so in the way that is known.
    ///
    /// `_data` is hexadecimal: a byte 0x82 for the type timestamp, then seconds and increment, four bytes each, the most
    /// significant one first (`src/mongo/db/pipeline/resume_token.h` and `key_string.cpp` of the server).
    package var time: BSONTimestamp? {
        guard let data = document["_data"]?.string?.utf8, data.count >= 18, data.starts(with: "82".utf8) else {
            return nil
        }
        guard let seconds = UInt32(String(data.dropFirst(2).prefix(8)) ?? "", radix: 16),
            let increment = UInt32(String(data.dropFirst(10).prefix(8)) ?? "", radix: 16)
        else { return nil }
        return BSONTimestamp(seconds: seconds, increment: increment)
    }
}

extension MongoClient {
    /// Opens a stream of the changes of a database.
    ///
    /// - Parameters:
    ///   - database: The database.
    ///   - start: Where to begin.
    ///   - pipeline: What becomes of each event; its `_id` must stay as it is.
    ///   - batchSize: At most so many events come at once.
    ///   - readPreference: Which members may answer; nil means the primary.
    /// - Throws: ``MongoError``: ``MongoError/isChangeHistoryLost`` tells where the start lies too far back.
    package func watch(
        _ database: String, _ start: ChangeStream.Start, pipeline: [BSONDocument], batchSize: Int = 1000,
        readPreference: ReadPreference? = nil
    ) throws -> ChangeStream {
        try Self.checkName(database)
        var stage: BSONDocument = [:]
        if case .after(let token) = start { stage.append("resumeAfter", .document(token.document)) }
        let stages = [["$changeStream": .document(stage)]] + pipeline
        let command: BSONDocument = [
            "aggregate": 1, "pipeline": .array(BSONArray(stages.map { .document($0) })),
        ]
        // The first reply is to come at once: it tells the place where the stream begins.
        let request = CursorRequest(
            command, on: database, ["batchSize": 0, "readConcern": ["level": "majority"]], isAggregate: true,
            readPreference: readPreference)
        let cursor = try register(request)
        var opened = OpenCursor(request)
        opened.changes = OpenCursor.Changes(batchSize: batchSize)
        do {
            _ = try advance(&opened, asking: batchSize)
        } catch {
            cursors[cursor.identifier] = nil
            opened.endSession()
            throw error
        }
        cursors[cursor.identifier] = opened
        return ChangeStream(client: self, identifier: cursor.identifier)
    }

    /// The place where a stream of a database's changes begins now.
    ///
    /// - Throws: ``MongoError``.
    package func changeStreamToken(_ database: String, readPreference: ReadPreference? = nil) throws -> ResumeToken {
        let stream = try watch(database, .now, pipeline: [], readPreference: readPreference)
        defer { closeCursor(stream.identifier) }
        guard let token = cursors[stream.identifier]?.changes?.token else {
            throw CursorReply.malformed("no place to resume from")
        }
        return token
    }

    func nextChanges(_ identifier: Int, waiting limit: Duration) throws(MongoError) -> ChangeStream.Batch {
        guard var cursor = cursors.removeValue(forKey: identifier), var changes = cursor.changes else {
            throw MongoError(.internal, "A change stream was read after it had been closed.")
        }
        defer { cursors[identifier] = cursor }
        var events: [BSONDocument] = []
        do throws(MongoError) {
            let wait = limit.components
            changes.waitMS = max(1, wait.seconds * 1000 + wait.attoseconds / 1_000_000_000_000_000)
            cursor.changes = changes
            guard try advance(&cursor, asking: changes.batchSize) else {
                throw MongoError(.server, "The change stream has ended: its database was dropped.")
            }
            while let event = try cursor.take() { events.append(event) }
        } catch {
            cursor.batch = nil
            cursor.position = .failed(error)
            cursor.endSession()
            throw error
        }
        guard let token = cursor.changes?.token else { throw CursorReply.malformed("no place to resume from") }
        return ChangeStream.Batch(events: events, token: token)
    }
}
