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

    /// Runs a command that the journal knows nothing of, or not all.
    func runAsItIs(_ command: DatabaseCommand, _ position: CommandPosition, _ begun: BSONDocument?) async throws {
        try await run.recording(command.name, in: command.collection ?? "") {
            var isNoted = command.isInJournal && command.isOther ? false : try await context.noteUnjournalled()
            // An attempt that was killed had noted it, for this command.
            if begun?["noted"]?.bool == true { isNoted = true }
            do {
                try await send(command, position, begun, isNoted: isNoted)
            } catch let error as MongoError where error.isRefusal && isNoted && command.isUntouched(by: error) {
                try await context.retractUnjournalled()
                throw error
            }
            if command.risk != .safe || command.name.hasPrefix("create") {
                run.counts.count(
                    command: position.number, of: version, command.name, command.collection ?? "")
            }
        }
    }

    private func send(
        _ command: DatabaseCommand, _ position: CommandPosition, _ begun: BSONDocument?, isNoted: Bool
    ) async throws {
        var mark = begun ?? [:]
        if begun == nil, isNoted { mark.append("noted", true) }
        if command.canBeDoneAlready {
            if begun == nil, let presence = try await presence(of: command) {
                mark.append("presence", .string(presence.rawValue))
            }
            try await begin(position, mark) {
                do {
                    try await send(command.document)
                } catch let error as MongoError where begun != nil && command.meansDone(error) {
                    // Only an attempt that got no answer may have done it, and only what wasn't so before.
                    guard let before = mark["presence"]?.string.flatMap(Presence.init) else {
                        throw HalfApplied.unknown(version, direction)
                    }
                    guard before == command.presenceToChange else { throw error }
                }
            }
        } else if command.isRepeatable, mark.isEmpty {
            try await send(command.document)
        } else {
            guard begun == nil || command.isRepeatable else { throw HalfApplied.unknown(version, direction) }
            try await begin(position, mark, isUntouched: command.isUntouched) { try await send(command.document) }
        }
    }

    /// Looks whether what a command makes or takes away is there; nil where the server doesn't say so to this user.
    private func presence(of command: DatabaseCommand) async throws -> Presence? {
        if command.name == "dropIndexes" {
            let indexes = try await database.client.listIndexes(database.namespace(command.collection ?? ""))
            let found = command.droppedIndexes.map { wanted in
                indexes.contains { $0["name"] == wanted || IndexMatch.sameKey($0, ["key": wanted]) }
            }
            return found.allSatisfy { $0 } ? .present : found.contains(true) ? .partly : .absent
        }
        let isAboutRoles = command.name.hasSuffix("Role")
        let name = command.document[command.name] ?? .null
        do {
            let reply = try await database.client.run(
                [isAboutRoles ? "rolesInfo" : "usersInfo": name], on: database.name)
            let found = reply[isAboutRoles ? "roles" : "users"]?.array?.values ?? []
            return found.isEmpty ? .absent : .present
        } catch let error as MongoError where error.kind == .unauthorized {
            return nil
        }
    }

    /// Writes down that a command is about to run, runs it, and withdraws the note when the server refused it.
    ///
    /// - Parameter isUntouched: Whether a refusal says that nothing was done; else the note stays.
    func begin(
        _ position: CommandPosition, _ mark: BSONDocument, isUntouched: (MongoError) -> Bool = { _ in true },
        _ body: () async throws -> Void
    ) async throws {
        try await noteBegun(position, mark)
        do {
            try await body()
        } catch let error as MongoError where error.isRefusal {
            if isUntouched(error) { try await context.save(checkpoint: checkpoint(at: position.index).document) }
            throw error
        }
    }

    /// Writes down that a command is about to run, and makes sure of the lease: whoever takes it later finds the note.
    private func noteBegun(_ position: CommandPosition, _ mark: BSONDocument) async throws {
        try await context.save(checkpoint: checkpoint(at: position.index, begun: mark).document)
        do {
            try await run.confirmLease()
        } catch EngineError.leaseLost {
            // Nothing was sent. Whoever has claimed the step by now keeps the note, and finds that it can't be told.
            try? await context.save(checkpoint: checkpoint(at: position.index).document)
            throw EngineError.leaseLost
        }
    }

    func send(_ command: BSONDocument) async throws {
        if CatalogCommand.names.contains(command.keys.first ?? "") {
            try await run.changeCatalog(command)
        } else {
            try await run.writer.run(command, on: database.name)
        }
    }
}

/// Whether what a command makes or takes away was there before it ran.
private enum Presence: String {
    case present
    case absent
    /// Some of it.
    case partly
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

extension DatabaseCommand {
    /// Whether the journal holds images of what was there before it, which entries of changes are made from.
    var keepsImages: Bool {
        switch kind {
        case .create, .drop, .aggregate: true
        case .insert, .change, .createIndexes, .other: false
        }
    }

    /// What the command changes: where it was otherwise, the command was refused.
    fileprivate var presenceToChange: Presence { name.hasPrefix("create") ? .absent : .present }

    /// The indexes that `dropIndexes` is about, by name or by key.
    fileprivate var droppedIndexes: [BSONValue] {
        guard let index = document["index"] else { return [] }
        return index.array?.values ?? [index]
    }

    /// Whether running the command twice does what running it once does.
    var isRepeatable: Bool {
        switch kind {
        case .change(let statements):
            // One after another, each may change what the one before has made.
            return statements.count == 1 && statements.allSatisfy { $0.isIdempotent && !$0.isUpsert }
        case .aggregate(_, _, let isOut):
            let merge = document["pipeline"]?.array?.values.last?.document?["$merge"]?.document
            let matched = merge?["whenMatched"]
            return !isOut && dangers.isEmpty && matched?.array == nil && matched?.string != "fail"
                && (document["pipeline"]?.array?.values ?? []).allSatisfy(Self.keepsIDs)
        case .insert, .create, .createIndexes, .drop: return false
        case .other: return dangers.isEmpty && (risk == .safe || Self.repeatable.contains(name))
        }
    }

    /// Whether a stage of a pipeline, run again on the same documents, gives documents of the same `_id`s.
    private static func keepsIDs(_ stage: BSONValue) -> Bool {
        guard let stage = stage.document, let name = stage.keys.first else { return false }
        switch name {
        case "$match", "$sort", "$group", "$merge": return true
        case "$set", "$addFields": return stage[name]?.document?["_id"] == nil
        case "$project":
            let id = stage[name]?.document?["_id"]
            return id == nil || id?.bool == true || id?.integer == 1
        default: return false
        }
    }

    /// Whether a command that the server refuses has done nothing: others may have come part of the way.
    fileprivate var isAtomic: Bool {
        switch kind {
        case .change(let statements): statements.count == 1 && !statements[0].isMulti
        case .insert(let documents): documents.count == 1
        case .aggregate: false
        // One that writes, and isn't known.
        case .other: !["update", "delete", "insert", "bulkWrite", "mapReduce", "mapreduce", "applyOps"].contains(name)
        case .create, .createIndexes, .drop: true
        }
    }

    /// Whether the server's refusal says that the command has done nothing.
    fileprivate func isUntouched(by error: MongoError) -> Bool {
        if isAtomic { return true }
        if case .change(let statements) = kind, statements.count == 1, error.isOfPlanning { return true }
        // These pass on what one of the operations in them met.
        guard !["applyOps", "mapReduce", "mapreduce", "bulkWrite"].contains(name) else {
            return error.kind == .unauthorized || error.kind == .authentication
        }
        return error.isEarly
    }

    private static let repeatable: Set<String> = [
        "updateUser", "dropUser", "grantRolesToUser", "revokeRolesFromUser", "updateRole", "dropRole",
        "grantPrivilegesToRole", "revokePrivilegesFromRole", "grantRolesToRole", "revokeRolesFromRole", "dropIndexes",
        "collMod", "compact", "reIndex", "setParameter", "dropAllUsersFromDatabase", "dropAllRolesFromDatabase",
    ]

    /// Whether the server says so when what the command wants is so already.
    fileprivate var canBeDoneAlready: Bool { Self.alreadyDone[name] != nil }

    fileprivate var isOther: Bool { if case .other = kind { true } else { false } }

    /// Whether an error says that what the command wants is so already.
    fileprivate func meansDone(_ error: MongoError) -> Bool { Self.alreadyDone[name]?.contains(error.code) ?? false }

    /// Server error codes (https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml): user or role not
    /// found, index not found, user or role exists.
    private static let alreadyDone: [String: Set<Int32>] = [
        "createUser": [51003], "createRole": [51002], "dropUser": [11], "dropRole": [31], "dropIndexes": [27],
    ]
}

extension ChangeStatement {
    /// Whether carrying it out twice does what carrying it out once does.
    fileprivate var isIdempotent: Bool {
        guard let update else { return isMulti }
        guard isMulti, let operators = update.document?.keys else { return false }
        return operators.allSatisfy(Self.idempotent.contains)
    }

    private static let idempotent: Set<String> = [
        "$set", "$unset", "$setOnInsert", "$min", "$max", "$addToSet", "$pull",
    ]
}
