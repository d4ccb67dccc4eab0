package import BSON
package import Journal
internal import MongoDriver

/// Waits for something that a repair mends, and changes nothing.
package struct DamageWatch {
    private let database: Database
    private let schema: DatabaseSchema
    private let checker: Checker
    private var counters: SettlingCounters
    /// What was there at the end of a repair that could do nothing about it, until when it is left alone.
    private var hopeless: [String: [BSONValue: ContinuousClock.Instant]] = [:]
    /// Documents with an empty `_id` of which the same is true, as they were.
    private var stuck: [String: [BSONDocument]] = [:]
    private var empty: [String: [BSONDocument]] = [:]
    /// How long something is left alone that couldn't be mended.
    private static let patience = Duration.seconds(60)
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
                switch try await follower.next(waiting: .milliseconds(1)) {
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
        for (collection, ids) in ids {
            hopeless[collection] = (hopeless[collection] ?? [:]).filter { $0.value > .now }
            for id in ids.prefix(Finding.mostSubjects) {
                hopeless[collection, default: [:]][id] = .now + Self.patience
            }
        }
        stuck.merge(empty) { $1 }
    }

    /// The documents with an empty `_id`, but for those that can't be moved: they stay until somebody changes them.
    private mutating func emptyIDs() async throws -> [String: Set<BSONValue>] {
        var found: [String: Set<BSONValue>] = [:]
        for collection in schema.collections {
            let documents = try await IdentityScan(database: database).emptyOnes(collection.name)
            empty[collection.name] = documents
            let known = stuck[collection.name] ?? []
            let new = documents.filter { !known.contains($0) }.compactMap { $0["_id"] }
            if !new.isEmpty { found[collection.name] = Set(new) }
        }
        return found
    }

    private mutating func look(at touched: TouchedDocuments) async throws -> [String: Set<BSONValue>] {
        let look = try await checker.look(Self.codes, at: touched, orphaned: [:])
        let outcome = try await counters.look(look.counting)
        var found: [String: Set<BSONValue>] = [:]
        for finding in look.findings + outcome.findings where Self.codes.contains(finding.code) {
            let left = hopeless[finding.collection] ?? [:]
            let new = Set(finding.subjects.filter { left[$0].map { $0 <= .now } ?? true })
            if !new.isEmpty { found[finding.collection, default: []].formUnion(new) }
        }
        return found
    }
}
