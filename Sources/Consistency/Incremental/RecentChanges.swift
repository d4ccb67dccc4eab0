package import BSON
package import Journal
package import MongoDriver

/// Finds out what has changed in a database since a moment.
package struct RecentChanges: Sendable {
    private let database: Database
    private let schema: DatabaseSchema

    /// What came of it.
    package enum Outcome: Sendable {
        /// All that has changed; where from to look on the next time, where there is a stream of changes.
        case touched(TouchedDocuments, ResumeToken?)
        /// It can't be told, for this reason.
        case unknown(String)
    }

    /// More documents aren't told apart: to look at all of them takes no longer.
    package static let most = 100_000

    /// Looks at a database.
    package init(_ database: Database, _ schema: DatabaseSchema) { (self.database, self.schema) = (database, schema) }

    /// The place in the stream of changes from which to look on the next time; nil where there is none: no replica set, or a
    /// user who may not follow it; or secondaries are read, which may not have yet what comes before that place.
    ///
    /// - Throws: `MongoError`.
    package func place() async throws -> ResumeToken? {
        let isOfPrimary = database.readPreference.map { [.primary, .primaryPreferred].contains($0) } ?? true
        guard database.server.topology == .replicaSet, isOfPrimary else { return nil }
        do {
            return try await database.client.changeStreamToken(
                database.name, readPreference: database.readPreference)
        } catch let error as MongoError where error.kind == .unauthorized {
            return nil
        }
    }

    static let lost = "the server no longer knows all changes since then (its oplog has gone on)"

    /// Opens the stream of changes.
    func stream(after token: ResumeToken, batchSize: Int = 1000) async throws -> ChangeStream {
        try await database.client.watch(
            database.name, .after(token), pipeline: ChangeEvent.pipeline(schema), batchSize: batchSize,
            readPreference: database.readPreference)
    }

    func serverTime() async throws -> Int64 { try await database.serverTime() }

    /// What has changed, by the stream of changes.
    ///
    /// - Parameters:
    ///   - token: The place in it.
    ///   - interruption: Ends it.
    /// - Throws: ``EngineError/interrupted(_:)``, `MongoError`.
    package func since(_ token: ResumeToken, _ interruption: Interruption) async throws -> Outcome {
        let reply = try await database.client.run(
            ["ping": 1], on: database.name, mode: .read, readPreference: database.readPreference)
        guard case .timestamp(let now) = reply["operationTime"], let since = token.time else {
            return .unknown("the server doesn't tell its place in the stream of changes in a way that is known")
        }
        // Where nothing has happened since, a stream's place is just behind the last thing that has.
        guard since <= BSONTimestamp(seconds: now.seconds, increment: now.increment &+ 1) else {
            return .unknown(
                "the server hasn't come to the last check's place in the stream of changes: an older copy of its data was restored"
            )
        }
        let stream: ChangeStream
        do {
            stream = try await self.stream(after: token)
        } catch let error as MongoError where error.isChangeHistoryLost {
            return .unknown(Self.lost)
        } catch let error as MongoError where error.kind == .unauthorized {
            return .unknown("the user may not follow the stream of changes")
        }
        do {
            let outcome = try await read(stream, to: now, interruption)
            await stream.close()
            return outcome
        } catch let error as MongoError where error.isChangeHistoryLost {
            await stream.close()
            return .unknown(Self.lost)
        } catch {
            await stream.close()
            throw error
        }
    }

    private func read(
        _ stream: ChangeStream, to end: BSONTimestamp, _ interruption: Interruption
    ) async throws -> Outcome {
        var collected = ChangeCollector(schema)
        var wait = 1
        while true {
            try interruption.check()
            let batch = try await stream.next(waiting: .milliseconds(wait))
            // What nobody has asked for passes by without a word: only the place tells that the end has come.
            wait = batch.events.isEmpty ? min(wait * 2, 200) : 1
            for event in batch.events {
                if let reason = collected.add(ChangeEvent(event)) { return .unknown(reason) }
            }
            guard collected.touched.count <= Self.most else {
                return .unknown("more than \(Self.most) documents have changed since then")
            }
            guard let place = batch.token.time else {
                return .unknown("the server doesn't tell its place in the stream of changes in a way that is known")
            }
            // All events of a transaction have one time.
            if place > end || place == end && batch.events.isEmpty {
                return .touched(collected.touched, batch.token)
            }
        }
    }

    /// Clocks differ, and what a request makes arrives a little later: so much before the last check counts as after it.
    package static let usualMargin: Int64 = 5 * 60_000

    /// What can be told by an index: documents whose `_id`s were made since, and those that tell when they were changed.
    ///
    /// What else has changed has left no trace.
    ///
    /// - Parameters:
    ///   - since: When the last check began, in milliseconds since 1970, by the server's clock.
    ///   - margin: How much before that counts as after it, in milliseconds.
    /// - Throws: `MongoError`.
    package func byIndex(since: Int64, margin: Int64 = usualMargin) async throws -> Outcome {
        let from = since - margin
        var touched = TouchedDocuments(isComplete: false)
        let seconds = UInt32(clamping: from / 1000)
        for collection in schema.collections {
            // Other `_id`s are the bug's; they tell no time.
            try await IdentityScan(database: database).forEachBatch(collection.name) { ids in
                for id in ids where touched.count <= Self.most { touched.add(id, in: collection.name) }
            }
            let made: BSONDocument = [
                "_id": ["$gte": .objectID(ObjectID.smallest(at: seconds)), "$lte": .objectID(.max)]
            ]
            try await add(made, hint: ["_id": 1], collection, &touched)
            if !collection.counters.isEmpty, collection.fields.contains(where: { $0.field == Self.changedField }) {
                let changed: BSONDocument = [Self.changedField: ["$gte": .date(from)]]
                try await add(changed, hint: try await changeIndex(collection), collection, &touched)
            }
            guard touched.count <= Self.most else {
                return .unknown("more than \(Self.most) documents have come or changed since then")
            }
        }
        return .touched(touched, nil)
    }

    private func add(
        _ filter: BSONDocument, hint: BSONValue?, _ collection: CollectionSchema, _ touched: inout TouchedDocuments
    ) async throws {
        var options: BSONDocument = [
            "projection": ["_id": 1], "limit": .int64(Int64(Self.most) + 1),
            "collation": .document(ExactMatch.collation),
        ]
        if let hint { options.append("hint", hint) }
        let cursor = try await database.client.find(
            database.namespace(collection.name), filter: filter, options: options,
            readPreference: database.readPreference)
        var all = touched
        try await database.client.forEachBatch(of: cursor) { documents in
            for document in documents { all.add(document["_id"] ?? .null, in: collection.name) }
        }
        touched = all
    }

    private static let changedField = "updated_at"

    /// An index that holds when a document was changed; not as its first field, so that all of it is read, and still less
    /// than the documents.
    private func changeIndex(_ collection: CollectionSchema) async throws -> BSONValue? {
        let indexes = try await database.indexes(of: collection.name)
        return indexes.first { index in
            index["key"]?.document?[Self.changedField] != nil && index["sparse"]?.bool != true
                && index["partialFilterExpression"] == nil && index["collation"] == nil
                && index["hidden"]?.bool != true
        }.flatMap { $0["name"] }
    }

    /// The next part of each collection.
    ///
    /// - Parameters:
    ///   - share: How much of each collection, from 0 to 1.
    ///   - places: By collection, where the last part ended; a collection that isn't there begins anew.
    /// - Throws: `MongoError`.
    package func slices(_ share: Double, after places: [String: BSONValue]) async throws -> [String: SliceRange] {
        var slices: [String: SliceRange] = [:]
        for collection in schema.collections where !collection.references.isEmpty {
            let documents = try await database.documentCount(of: collection.name)
            let count = Int((Double(documents) * share).rounded(.up))
            let lower = places[collection.name]
            var options: BSONDocument = [
                "projection": ["_id": 1], "hint": ["_id": 1], "skip": .int64(Int64(count)), "limit": 1,
            ]
            if let lower { options.append("min", ["_id": lower]) }
            let cursor = try await database.client.find(
                database.namespace(collection.name), filter: [:], options: options,
                readPreference: database.readPreference)
            let upper = try await database.client.all(cursor).first?["_id"]
            slices[collection.name] = SliceRange(lower: lower, upper: upper, count: min(count, documents))
        }
        return slices
    }
}
