internal import BSON
internal import Journal
internal import MongoDriver

/// Looks what the commands of a step's file would do to the data as it is. Changes nothing.
struct CommandPlanner {
    let database: Database
    /// As ``RepairSettings/journalLimit``.
    let journalLimit: Int64
    /// Whether documents of one insert are compared with each other.
    var looksWithin = true

    /// What each command would do, in order.
    ///
    /// - Throws: `MongoError`.
    ///
    /// - Parameters:
    ///   - file: The commands.
    ///   - position: The index of the first one that is still to be run.
    ///   - touched: Collections that other steps change before; what a command finds in them can't be told yet.
    func plan(_ file: StepFile, from position: Int = 0, ignoring touched: Set<String> = []) async throws -> StepPlan {
        var operations: [PlannedOperation] = []
        var touched = touched
        for command in file.commands.dropFirst(position) {
            // What a command finds after others of the file have changed its collection can't be told yet.
            let objections = try await objections(to: command, ignoring: touched)
            let dangers = try await dangers(of: command, ignoring: touched)
            switch command.kind {
            case .change(let statements):
                for statement in statements {
                    operations.append(try await change(statement, command, objections, dangers))
                }
            default: operations.append(try await operation(command, objections, dangers))
            }
            touched.formUnion(command.touched)
        }
        return StepPlan(operations: operations)
    }

    /// Why a file's commands would fail on the data as it is.
    ///
    /// - Parameter touched: Collections that other steps change before; of those nothing can be told yet.
    func blockers(
        _ file: StepFile, from position: Int = 0, ignoring touched: Set<String> = []
    ) async throws -> [String] {
        var touched = touched
        var blockers: [String] = []
        for command in file.commands.dropFirst(position) {
            blockers += try await objections(to: command, ignoring: touched)
            touched.formUnion(command.touched)
        }
        return blockers
    }

    /// What only the data tells: deletions whose filter isn't empty and matches every document all the same, and pipelines
    /// that merge into the collection behind the view that they read.
    ///
    /// - Parameter touched: Collections that other steps change before.
    func dangers(_ file: StepFile, ignoring touched: Set<String>) async throws -> [String] {
        var dangers: [String] = []
        for command in file.commands { dangers += try await self.dangers(of: command, ignoring: touched) }
        return dangers
    }

    private func dangers(of command: DatabaseCommand, ignoring touched: Set<String>) async throws -> [String] {
        switch command.kind {
        case .aggregate(let target, _, false):
            guard let view = command.collection, try await isView(view, of: target) else { return [] }
            return ["changes \(target) while it reads it through the view \(view) ($merge)"]
        case .change(let statements):
            guard let collection = command.collection, !touched.contains(collection) else { return [] }
            var dangers: [String] = []
            for statement in statements where statement.update == nil && statement.isMulti && !statement.matchesAll {
                let total = try await database.documentCount(of: collection)
                // What the server refuses to look for isn't deleted.
                _ = try await refusal {
                    if total > 0, try await count(statement, collection) == total {
                        dangers.append("deletes every document of \(collection): its filter matches them all")
                    }
                }
            }
            return dangers
        case .insert(let documents):
            guard let collection = command.collection, !touched.contains(collection) else { return [] }
            return try await pushedOut(by: documents, of: collection)
        default: return []
        }
    }

    /// Whether a collection is a view of another, perhaps through more views.
    private func isView(_ name: String, of collection: String) async throws -> Bool {
        let present = try await database.client.listCollections(database.name)
        var seen: Set<String> = []
        var current = name
        while let source = present[current]?.options["viewOn"]?.string, seen.insert(current).inserted {
            if source == collection { return true }
            current = source
        }
        return false
    }

    /// Looks at the data, and returns the server's words where it refuses the question itself.
    private func refusal(_ look: () async throws -> Void) async throws -> String? {
        do {
            try await look()
            return nil
        } catch let error as MongoError where error.isRefusal && error.kind != .unauthorized {
            return error.message
        }
    }

    private static func sentence(_ refusal: String, _ collection: String) -> String {
        "the server can't look for what it is about in \(collection): \(refusal)"
    }

    private static let asItIs = "run as it is; the journal can't revert it"

    /// So many documents are shown.
    static let samples: Int64 = 5

    private func change(
        _ statement: ChangeStatement, _ command: DatabaseCommand, _ objections: [String], _ dangers: [String]
    ) async throws -> PlannedOperation {
        let collection = command.collection ?? ""
        let start = ContinuousClock.now
        var matched = 0
        var samples: [BSONDocument] = []
        var access = Access.scan
        var options = statement.readOptions
        options.append("projection", ["_id": 1])
        options.append("limit", .int64(statement.isMulti ? Self.samples : 1))
        let refused = try await refusal {
            matched = try await count(statement, collection)
            samples = try await database.findAll(collection, filter: statement.filter, options: options)
            access = try await database.access(
                finding: statement.filter, in: collection, collation: statement.collation)
        }
        let unseen = objections.isEmpty ? refused.map { [Self.sentence($0, collection)] } ?? [] : []
        let looking = ContinuousClock.now - start
        let verb = statement.code
        let what = statement.matchesAll ? "\(verb) every document" : "\(verb) where \(Self.text(statement.filter))"
        let changed = statement.isMulti ? matched : min(matched, 1)
        let isDangerous = command.risk == .dangerous || !dangers.isEmpty
        return PlannedOperation(
            code: verb, collection: collection, operation: what, matched: changed, access: access,
            risk: isDangerous ? .dangerous : command.risk,
            warnings: objections + unseen
                + (isDangerous ? command.dangers + dangers + (try await limitWarnings(collection)) : [])
                + (command.isInJournal ? [] : [Self.asItIs]),
            samples: samples, estimatedMS: looking.milliseconds + Cost.changed.of(changed))
    }

    private func count(_ statement: ChangeStatement, _ collection: String) async throws -> Int {
        // Unlike `$match` the command `count` takes `$where`; what neither takes is counted as it comes.
        guard statement.variables == nil, !statement.needsIndex else {
            var options = statement.readOptions
            options.append("projection", ["_id": 1])
            let cursor = try await database.client.find(
                database.namespace(collection), filter: statement.filter, options: options)
            var count = 0
            try await database.client.forEachBatch(of: cursor, maximum: Run.batchSize) { count += $0.count }
            return count
        }
        var command: BSONDocument = ["count": .string(collection), "query": .document(statement.filter)]
        if let collation = statement.collation { command.append("collation", .document(collation)) }
        return Int(try await database.client.run(command, on: database.name, mode: .read)["n"]?.integer ?? 0)
    }

    /// A filter as people read it, cut where it is long.
    private static func text(_ filter: BSONDocument) -> String {
        let text = (try? ExtendedJSON.relaxed(filter)) ?? "\(filter)"
        return text.count <= 120 ? text : text.prefix(117) + "…"
    }

    private func operation(
        _ command: DatabaseCommand, _ objections: [String], _ dangers: [String]
    ) async throws -> PlannedOperation {
        let collection = command.collection ?? ""
        var warnings = objections + command.dangers + dangers
        var matched = 1
        var access = Access.index
        var cost = Cost.sent.of(1)
        switch command.kind {
        case .insert(let documents):
            matched = documents.count
            cost = Cost.changed.of(matched)
        case .createIndexes(let indexes):
            matched = indexes.count
            access = .scan
            cost = Cost.indexed.of(try await database.documentCount(of: collection) * indexes.count)
        case .drop:
            matched = try await database.documentCount(of: collection)
            access = .scan
            cost = Cost.changed.of(matched)
            warnings += try await limitWarnings(collection)
        case .aggregate(let target, _, _):
            matched = try await database.documentCount(of: collection)
            access = .scan
            cost = Cost.changed.of(matched)
            warnings += command.risk == .dangerous ? try await limitWarnings(target) : []
            if !command.isInJournal { warnings.append("its result can't be reverted from the journal") }
        case .create, .change: break
        case .other:
            if command.name == "collMod" {
                warnings += try await validatorWarnings(command, collection)
            }
            if !command.isInJournal {
                warnings.append("\(command.title): \(Self.asItIs)")
            }
        }
        if let refusal = command.refusal(on: database.name) { warnings.append("refused: \(refusal)") }
        return PlannedOperation(
            code: command.code, collection: collection, operation: command.title, matched: matched, access: access,
            risk: dangers.isEmpty ? command.risk : .dangerous, warnings: warnings, estimatedMS: cost)
    }

    /// Says how many documents a new validator wouldn't let through.
    private func validatorWarnings(_ command: DatabaseCommand, _ collection: String) async throws -> [String] {
        guard let validator = command.document["validator"]?.document, !validator.isEmpty else { return [] }
        var groups: [BSONDocument] = []
        let refused = try await refusal {
            groups = try await database.aggregateAll(
                collection, [["$match": ["$nor": [.document(validator)]]], ["$count": "n"]])
        }
        if let refused { return ["the server may refuse its validator: \(refused)"] }
        guard let count = groups.first?["n"]?.integer else { return [] }
        return ["\(count) documents of \(collection) don't satisfy the validator; changing them later may fail"]
    }

    /// Says that a collection's documents are too many to be journalled before they are lost.
    private func limitWarnings(_ collection: String) async throws -> [String] {
        guard let found = try await database.client.listCollections(database.name)[collection] else { return [] }
        guard found.isOrdinary else {
            return ["\(collection) is a \(found.type): the journal can't revert this"]
        }
        let size = try await database.dataSize(of: collection)
        guard size > journalLimit else { return [] }
        return [
            "\(collection) has \(size) bytes, more than the limit up to which a collection is journalled (\(journalLimit)): its "
                + "documents can't be restored"
        ]
    }

    /// Why a command would fail on the data as it is.
    private func objections(to command: DatabaseCommand, ignoring touched: Set<String>) async throws -> [String] {
        if database.server.topology == .standalone, command.document["commitQuorum"] != nil {
            return ["a standalone server takes no commitQuorum"]
        }
        guard let collection = command.collection, !touched.contains(collection) else { return [] }
        let found = try await database.client.listCollections(database.name)[collection]
        switch command.kind {
        case .create: return found == nil ? [] : ["there is a collection \(collection) already"]
        case .drop: return found == nil ? ["there is no collection \(collection) to drop"] : []
        case .createIndexes(let indexes):
            return try await indexObjections(indexes, collection, found)
        case .insert(let documents): return try await insertObjections(documents, collection, found)
        case .change(let statements):
            // Without the variables the server would miss them.
            for statement in statements where statement.variables == nil {
                let refused = try await refusal {
                    try await database.explain(
                        finding: statement.filter, in: collection, collation: statement.collation)
                }
                if let refused { return [Self.sentence(refused, collection)] }
            }
            return []
        case .aggregate, .other: return []
        }
    }

    /// What a piece of work costs about, in microseconds, as measured on a small machine with MongoDB 6.0.
    private enum Cost: Int {
        /// A command sent and answered, made durable.
        case sent = 2000
        /// A document worked out, journalled and changed.
        case changed = 200
        /// A document read into an index.
        case indexed = 3

        /// Milliseconds for a number of them.
        func of(_ count: Int) -> Int64 { Int64(count) * Int64(rawValue) / 1000 }
    }
}

extension DatabaseCommand {
    /// What results call it.
    var code: String {
        switch kind {
        case .createIndexes: "create index"
        case .create: "create collection"
        case .insert, .change, .drop, .aggregate, .other: name
        }
    }

    /// The collections that it changes.
    var touched: Set<String> {
        var names = Set([collection].compactMap { $0 })
        if case .aggregate(let target, _, _) = kind { names.insert(target) }
        return names
    }
}
