internal import BSON
internal import Journal
internal import MigrationEngine
internal import MongoDriver

/// Commands that change the catalogue, destroy collections, or do what this tool doesn't know.
extension CommandRunner {
    func createIndexes(_ indexes: [BSONDocument], _ command: DatabaseCommand, _ position: CommandPosition) async throws
    {
        let collection = command.collection ?? ""
        try await run.recording("create index", in: collection) {
            let present = try await database.client.listIndexes(database.namespace(collection))
            let names = Set(present.compactMap { $0["name"]?.string })
            let missing = indexes.filter { !names.contains($0["name"]?.string ?? "") }
            try await journalled(missing.isEmpty ? nil : .indexes(missing), "create index", collection, position) {
                try await send(command.document)
            }
            // As the server describes them, so that an undo recognises them: it adds versions and defaults.
            let standing = try await standing(position)
            let wanted = Set(
                standing.flatMap { entry -> [String] in
                    guard case .indexes(let indexes) = entry.content else { return [] }
                    return indexes.compactMap { $0["name"]?.string }
                })
            let made = try await database.client.listIndexes(database.namespace(collection)).filter {
                wanted.contains($0["name"]?.string ?? "")
            }
            // A server before 5.0 stores no condition of a partial index by an update; the journal keeps what was asked for.
            for entry in standing where !made.isEmpty && made.allSatisfy(database.canUpdate(toHold:)) {
                let indexes = BSONArray(made.map { .document($0) })
                try await run.amend(entry.key, ["$set": ["indexes": .array(indexes)]])
            }
        }
    }

    func create(_ command: DatabaseCommand, _ position: CommandPosition) async throws {
        let collection = command.collection ?? ""
        try await run.recording("create collection", in: collection) {
            // The next run finishes the journal before it comes here.
            if position.isResumed, try await !outlines(position).isEmpty { return }
            let isTried = position.isResumed ? try await isGivenUp(position) : false
            try await journalled(.collection, "create collection", collection, position) {
                do {
                    try await send(command.document)
                } catch let error as MongoError where isTried && error.code == MongoError.ServerCode.namespaceExists {
                    // What an earlier attempt had sent has come late, after that attempt was given up.
                    let found = try await database.client.listCollections(database.name)[collection]
                    guard let found, found.isMade(by: command.document) else { throw error }
                }
            }
        }
    }

    /// Whether an earlier attempt's entry for a command was given up, because what it speaks of wasn't there; not because the
    /// server refused the command.
    private func isGivenUp(_ position: CommandPosition) async throws -> Bool {
        let state = JournalEntry.State.abandoned.rawValue
        for id in runs where id != run.id {
            let filter = filter(id, ["position": .int64(position.number), "refused": ["$exists": false]])
                .replacing("state", with: .string(state))
            let found = try await database.findAll(
                StateCollection.journal, filter: filter, options: ["limit": 1, "projection": ["_id": 1]])
            if !found.isEmpty { return true }
        }
        return false
    }

    /// What the journal holds of a command and wasn't reverted.
    func standing(_ position: CommandPosition) async throws -> [JournalEntry] {
        try await entries(position).filter { !$0.isUndone }
    }

    /// Runs a command whose effect an undo reverts by itself.
    func journalled(
        _ content: JournalEntry.Content?, _ code: String, _ collection: String, _ position: CommandPosition,
        _ body: () async throws -> Void
    ) async throws {
        guard let content else { return try await body() }
        var entries = run.makeEntries([(collection, code, content, nil)])
        entries[0].position = position.number
        try await run.append(entries)
        do {
            try await body()
        } catch let error as MongoError where error.isRefusal {
            try await run.abandon(refused: entries)
            throw error
        }
        let number = if case .indexes(let indexes) = content { indexes.count } else { 1 }
        run.counts.count(entries[0], number)
        try await run.setState(.done, of: entries)
    }

    /// Runs a command that takes away, or changes, what a collection holds, after its documents are in the journal: `drop`,
    /// and `$merge` over the input.
    ///
    /// - Parameter begun: What an earlier attempt wrote down right before it.
    func destroy(
        _ command: DatabaseCommand, _ collection: String, _ position: CommandPosition, _ begun: BSONDocument?
    ) async throws {
        try await run.recording(command.name, in: collection) {
            let found = try await database.client.listCollections(database.name)[collection]
            let isDrop = if case .drop = command.kind { true } else { false }
            var isJournalled = begun?["journalled"]?.bool ?? false
            // A dropped collection is gone, or another one. What a `$merge` did can't be told from the collection.
            var isDone = begun.map { isDrop ? $0["uuid"] != (found?.uuid ?? .null) : $0["ran"]?.bool == true } ?? false
            if isDrop, begun == nil, found == nil, position.isResumed, try await !outlines(position).isEmpty {
                // An earlier attempt's command reached the server late, or somebody else dropped it: these images are all
                // that there is.
                (isDone, isJournalled) = (true, true)
            }
            if !isDone {
                if begun != nil, !isDrop { throw HalfApplied.unknown(version, direction) }
                isJournalled = try await fitsJournal(collection, found)
                var isNoted = false
                if isJournalled {
                    try await journalImages(of: collection, found, command, position)
                } else {
                    isNoted = try await context.noteUnjournalled()
                }
                var mark: BSONDocument = ["uuid": found?.uuid ?? .null, "journalled": .bool(isJournalled)]
                if isDrop {
                    do {
                        try await begin(position, mark) { try await drop(command, found) }
                    } catch let error as MongoError where error.isRefusal && begun == nil && !position.isResumed {
                        try await giveUp(position, isNoted: isNoted)
                        throw error
                    }
                } else {
                    try await noteBegun(position, mark)
                    do {
                        try await send(command.document)
                    } catch let error as MongoError where error.isRefusal {
                        // It may have come part of the way, and must not be run again on what it has made.
                        let isUntouched =
                            isJournalled ? try await !recordOutcome(in: collection, position) : error.isEarly
                        if isUntouched {
                            try await context.save(checkpoint: checkpoint(at: position.index).document)
                            try await giveUp(position, isNoted: isNoted)
                        }
                        throw error
                    }
                    mark.append("ran", true)
                    try await context.save(checkpoint: checkpoint(at: position.index, begun: mark).document)
                }
            }
            if isJournalled, !isDrop { _ = try await recordOutcome(in: collection, position) }
            run.counts.count(command: position.number, of: version, command.name, collection)
        }
    }

    /// Forgets what was written down for a command that the server refused before it had done anything.
    func giveUp(_ position: CommandPosition, isNoted: Bool) async throws {
        try await run.abandon(try await outlines(position).map(\.key))
        if isNoted { try await context.retractUnjournalled() }
    }

    /// Drops the collection whose documents are in the journal, and no other of its name that was made since.
    private func drop(_ command: DatabaseCommand, _ found: CollectionDescription?) async throws {
        var document = command.document
        if database.server.wireVersion >= Self.firstWithCollectionUUID, let uuid = found?.uuid,
            document["collectionUUID"] == nil
        {
            document.append("collectionUUID", uuid)
        }
        do {
            try await send(document)
        } catch let error as MongoError where found != nil && MongoError.ServerCode.collectionGone.contains(error.code)
        {
            // Somebody else has dropped it meanwhile.
            return
        }
    }

    /// The wire version of MongoDB 6.0.
    private static let firstWithCollectionUUID: Int64 = 17

    /// Whether a collection's documents fit the journal's limit.
    func fitsJournal(_ collection: String, _ found: CollectionDescription?) async throws -> Bool {
        guard let found else { return true }
        guard found.isOrdinary else { return false }
        return try await database.dataSize(of: collection) <= context.settings.journalLimit
    }

    /// Whether documents are changed one by one and journalled: nearly always, but for a command that is dangerous and
    /// about more than the limit. What an earlier attempt has begun in one way is resumed in the same.
    func isJournalled(
        _ command: DatabaseCommand, _ statements: [ChangeStatement], _ position: CommandPosition, _ begun: BSONDocument?
    ) async throws -> Bool {
        if begun != nil { return false }
        if position.isResumed, try await hasStanding(ofCommand: position.index) { return true }
        // A copy has no index, and a time series or a view can't be changed document by document.
        guard let collection = command.collection, !statements.contains(where: \.needsIndex) else { return false }
        let found = try await database.client.listCollections(database.name)[collection]
        guard found?.isOrdinary ?? true else { return false }
        return command.risk == .dangerous ? try await fitsJournal(collection, found) : true
    }

    /// Whether a collection has documents of its own, each under its `_id`: a time series hasn't, and a view neither. One that
    /// isn't there will.
    func isOrdinary(_ collection: String?) async throws -> Bool {
        guard let collection else { return false }
        return try await database.client.listCollections(database.name)[collection]?.isOrdinary ?? true
    }

    private func journalImages(
        of collection: String, _ found: CollectionDescription?, _ command: DatabaseCommand, _ position: CommandPosition
    ) async throws {
        // What an attempt that never came to its command had journalled is out of date.
        if position.isResumed { try await run.abandon(try await outlines(position).map(\.key)) }
        guard let found else { return }
        guard case .drop = command.kind else {
            return try await journalDocuments(of: collection, after: .unknown, command.name, position)
        }
        // An undo goes backwards: it makes the collection, puts the documents into it, and then the indexes.
        let collation: BSONValue? = found.collation == nil ? nil : ["locale": "simple"]
        let indexes = try await database.client.listIndexes(database.namespace(collection)).map { index in
            // The server leaves out that an index hasn't the collection's collation.
            guard index["collation"] == nil, let collation else { return index }
            return index.replacing("collation", with: collation)
        }
        let own = indexes.filter { $0["name"]?.string != "_id_" }
        if !own.isEmpty { try await note(.dropped(options: [:], indexes: own), command.name, collection, position) }
        try await journalDocuments(of: collection, after: .absent, command.name, position)
        try await note(.dropped(options: found.options, indexes: []), command.name, collection, position)
    }
}

extension CollectionDescription {
    /// Whether a `create` command makes such a collection: the server adds its defaults to what the command asks for.
    fileprivate func isMade(by command: BSONDocument) -> Bool {
        let asked = command.keys.dropFirst().filter { name in
            !Self.others.contains(name) && !(name == "capped" && command[name]?.bool == false)
        }
        let kind = asked.contains("viewOn") ? "view" : asked.contains("timeseries") ? "timeseries" : "collection"
        return type == kind
            && options.keys.allSatisfy { asked.contains($0) || Self.defaults[$0] == options[$0] }
            && asked.allSatisfy { Self.isMade(options[$0], of: command[$0]) }
    }

    private static func isMade(_ found: BSONValue?, of asked: BSONValue?) -> Bool {
        if let found = found?.document, let asked = asked?.document {
            return asked.keys.allSatisfy { isMade(found[$0], of: asked[$0]) }
        }
        // A size is rounded up to a multiple of 256.
        if let found = found?.number, let asked = asked?.number { return (asked..<asked + 256).contains(found) }
        return found == asked
    }

    /// Fields of a `create` command that say nothing of the collection.
    private static let others: Set<String> = ["writeConcern", "comment", "maxTimeMS"]
    /// What the server adds to a validator.
    private static let defaults: BSONDocument = ["validationLevel": "strict", "validationAction": "error"]
}
