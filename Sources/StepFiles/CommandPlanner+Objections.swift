internal import BSON
internal import Journal
internal import MongoDriver

/// What becomes of indexes and documents of a step's file: why they would be refused, and what makes room for them.
extension CommandPlanner {
    func indexObjections(
        _ indexes: [BSONDocument], _ collection: String, _ found: CollectionDescription?
    ) async throws -> [String] {
        let present = try await database.client.listIndexes(database.namespace(collection))
        var conflicts = IndexConflicts(
            present: present, collation: found?.collation, wireVersion: database.server.wireVersion)
        var result: [String] = []
        for index in indexes {
            switch conflicts.add(index) {
            case .refused(let reason): result.append("\(collection) \(reason)")
            case .present: continue
            case .created:
                guard found?.isOrdinary ?? false else { continue }
                result += try await Duplicates.sentences(index, in: collection, database)
            }
        }
        return result
    }

    func insertObjections(
        _ documents: [BSONDocument], _ collection: String, _ found: CollectionDescription?
    ) async throws -> [String] {
        var result = try await repeated(documents, collection, found)
        guard let found else { return result }
        let ids = documents.compactMap { $0["_id"] }
        if !ids.isEmpty {
            let taken = try await database.findAll(
                collection, filter: ["_id": ["$in": .array(BSONArray(ids))]],
                options: ["projection": ["_id": 1], "limit": .int64(Self.samples)])
            if !taken.isEmpty { result.append("\(collection) has documents with the same _id already") }
        }
        let validator = found.options["validator"]?.document ?? [:]
        let isStrict =
            found.options["validationAction"]?.string ?? "error" == "error"
            && found.options["validationLevel"]?.string != "off"
        if !validator.isEmpty, isStrict {
            var accepted = 0
            for batch in Run.batches(documents) {
                let stages: [BSONDocument] = [["$match": .document(validator)], ["$count": "n"]]
                let counted = try await look(at: batch, collection, stages)
                accepted += Int(counted.first?["n"]?.integer ?? 0)
            }
            if accepted < documents.count {
                result.append(
                    "\(documents.count - accepted) of its documents don't satisfy the validator of \(collection)")
            }
        }
        return result
    }

    /// Documents of one command that have the same `_id`, or the same key of a unique index, as the server compares them.
    private func repeated(
        _ documents: [BSONDocument], _ collection: String, _ found: CollectionDescription?
    ) async throws -> [String] {
        guard looksWithin, documents.count > 1, found?.isOrdinary ?? true else { return [] }
        let indexes = try await database.client.listIndexes(database.namespace(collection)).filter {
            IndexShape.isTrue($0["unique"])
        }
        var result: [String] = []
        for index in [["key": ["_id": 1], "name": "_id_"]] + indexes {
            guard let key = index["key"]?.document,
                let keys = IndexKeys(key, isSparse: IndexShape.isTrue(index["sparse"]))
            else { continue }
            // What a document holds of other fields doesn't matter, and may be much.
            let isOfID = key.keys == ["_id"]
            let own =
                isOfID ? documents.compactMap { $0["_id"].map { BSONDocument([("_id", $0)]) } } : documents
            guard own.count > 1, own.reduce(0, { $0 + $1.byteCount }) <= Self.mostLookedAt else { continue }
            var stages: [BSONDocument] = []
            if let partial = index["partialFilterExpression"]?.document {
                stages.append(["$match": .document(partial)])
            }
            stages += keys.stages
            stages += [
                ["$group": ["_id": keys.group, "n": ["$sum": 1]]], ["$match": ["n": ["$gt": 1]]], ["$count": "n"],
            ]
            let collation = index["collation"]?.document ?? (isOfID ? found?.collation : nil) ?? ["locale": "simple"]
            let groups = try await look(at: own, collection, stages, collation)
            if let n = groups.first?["n"]?.integer, n > 0 {
                let what = isOfID ? "_id" : key.keys.joined(separator: ", ")
                result.append("documents of the command share their \(what), which \(collection) takes once only")
            }
        }
        return result
    }

    /// More bytes of documents aren't looked at in one pipeline: a command has 16 MB.
    private static let mostLookedAt = 12 << 20

    /// Runs a pipeline over documents that are stored nowhere: one that makes one document of none, and those of it.
    private func look(
        at documents: [BSONDocument], _ collection: String, _ stages: [BSONDocument], _ collation: BSONDocument? = nil
    ) async throws -> [BSONDocument] {
        let list = BSONArray(documents.map { BSONValue.document(CommandRunner.withID($0)) })
        let source: [BSONDocument] = [
            ["$limit": 1], ["$facet": ["none": [["$limit": 1], ["$match": ["$expr": false]]]]],
            ["$project": ["d": ["$literal": .array(list)]]], ["$unwind": "$d"], ["$replaceRoot": ["newRoot": "$d"]],
        ]
        var options: BSONDocument = ["allowDiskUse": true]
        if let collation { options.append("collation", .document(collation)) }
        return try await database.aggregateAll(collection, source + stages, options: options)
    }

    /// Says which documents of a capped collection make room for new ones.
    func pushedOut(by documents: [BSONDocument], of collection: String) async throws -> [String] {
        guard try await database.client.listCollections(database.name)[collection]?.isCapped ?? false else { return [] }
        let stats = try await database.client.run(["collStats": .string(collection)], on: database.name)
        let room = CappedRoom(
            count: stats["count"]?.integer ?? 0, bytes: stats["size"]?.integer ?? 0,
            most: stats["max"]?.integer ?? 0, mostBytes: stats["maxSize"]?.integer ?? 0)
        guard !room.fits(documents) else { return [] }
        let cursor = try await database.client.find(
            database.namespace(collection), filter: [:], options: ["sort": ["$natural": 1]])
        var gone: [BSONValue] = []
        var left = room
        // All that are there, at most: an old one goes for as long as the new ones don't fit.
        try await database.client.forEachBatch(of: cursor, maximum: Run.batchSize) { batch in
            for document in batch where !left.fits(documents) {
                left.remove(document)
                gone.append(document["_id"] ?? .null)
            }
        }
        guard !gone.isEmpty else { return [] }
        let named = gone.prefix(Int(Self.samples)).map { (try? ExtendedJSON.canonical(["_id": $0])) ?? "?" }
        return [
            "pushes the \(gone.count) oldest document\(gone.count == 1 ? "" : "s") out of \(collection), which is capped and "
                + "full (\(named.joined(separator: ", "))\(gone.count > named.count ? ", …" : ""))"
        ]
    }
}
