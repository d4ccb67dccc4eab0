package import BSON
package import Journal
internal import MongoDriver

/// Waits for something that a repair mends, and changes nothing.
package struct DamageWatch {
    private let database: Database
    private let schema: DatabaseSchema
    private let checker: Checker
    private var counters: SettlingCounters
    /// What was there at the end of a repair that could do nothing about it.
    private var hopeless: [String: Set<BSONValue>] = [:]
    private var lookedAt = ContinuousClock.now

    /// What is waited for.
    private static let codes = FindingCode.ofBug.union(FindingCode.ofCounters)
    /// How soon the `_id` that keeps others out is looked for again, and everything else.
    private static let (soon, later) = (Duration.milliseconds(25), Duration.milliseconds(500))

    /// Begins with nothing.
    ///
    /// - Parameter settle: How long counters settle.
    package init(_ database: Database, _ schema: DatabaseSchema, settle: Duration) {
        (self.database, self.schema) = (database, schema)
        checker = Checker(database: database, schema: schema) { _ in }
        counters = SettlingCounters(database, schema, settle: settle)
    }

    /// What came of waiting.
    package enum Outcome: Sendable {
        /// Something is wrong with these documents, by their collection.
        case damage([String: Set<BSONValue>])
        /// It can't be told what has changed, for this reason.
        case unknown(String)
    }

    /// Waits.
    ///
    /// - Parameters:
    ///   - follower: Tells what changes.
    ///   - interruption: Ends it.
    /// - Throws: ``EngineError/interrupted(_:)``, `MongoError`.
    package mutating func wait(_ follower: inout ChangeFollower, _ interruption: Interruption) async throws -> Outcome {
        while true {
            try interruption.check()
            let empty = try await emptyIDs()
            if !empty.isEmpty { return .damage(empty) }
            if ContinuousClock.now - lookedAt > Self.later {
                lookedAt = .now
                switch try await follower.next(waiting: .milliseconds(1), now: WallClock.milliseconds) {
                case .unknown(let reason): return .unknown(reason)
                case .touched(let touched, _):
                    let found = try await look(at: touched)
                    if !found.isEmpty { return .damage(found) }
                }
            }
            try await Task.sleep(for: Self.soon)
        }
    }

    /// Learns that a repair could do nothing about some documents.
    package mutating func giveUp(_ ids: [String: Set<BSONValue>]) {
        for (collection, ids) in ids where hopeless[collection]?.count ?? 0 < Finding.mostSubjects {
            hopeless[collection, default: []].formUnion(ids)
        }
    }

    private func emptyIDs() async throws -> [String: Set<BSONValue>] {
        var found: [String: Set<BSONValue>] = [:]
        for collection in schema.collections {
            let ids = try await database.findAll(
                collection.name, filter: ["_id": ["$in": ["", .null]]],
                options: ["projection": ["_id": 1], "collation": .document(ExactMatch.collation)]
            ).compactMap { $0["_id"] }
            let new = Set(ids).subtracting(hopeless[collection.name] ?? [])
            if !new.isEmpty { found[collection.name] = new }
        }
        return found
    }

    private mutating func look(at touched: TouchedDocuments) async throws -> [String: Set<BSONValue>] {
        let look = try await checker.look(Self.codes, at: touched, orphaned: [:])
        let outcome = try await counters.look(look.counting)
        var found: [String: Set<BSONValue>] = [:]
        for finding in look.findings + outcome.findings where Self.codes.contains(finding.code) {
            let new = Set(finding.subjects).subtracting(hopeless[finding.collection] ?? [])
            if !new.isEmpty { found[finding.collection, default: []].formUnion(new) }
        }
        return found
    }
}
