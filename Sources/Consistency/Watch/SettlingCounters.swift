package import BSON
package import Journal
internal import MongoDriver

/// Tells counters that are wrong from those that a request is just changing, while changes go on.
///
/// A counter that looks wrong is left alone for the settling time, and looked at again: it is wrong if it is the same then,
/// as for a check (`CounterCheck`). What has changed settles anew.
package struct SettlingCounters {
    private struct Suspect {
        var fingerprint: Int
        /// When it is looked at again.
        var due: ContinuousClock.Instant
        /// When it was seen wrong first.
        let since: ContinuousClock.Instant
    }

    private let database: Database
    private let schema: DatabaseSchema
    private let settle: Duration
    /// By the counting collection.
    private var suspects: [String: [BSONValue: Suspect]] = [:]

    /// What came of a look.
    package struct Outcome {
        /// The counters that are wrong.
        package internal(set) var findings: [Finding] = []
        /// Those that were decided, right or wrong, by their collection.
        package internal(set) var decided: [Looked] = []
    }

    /// Begins with nothing.
    ///
    /// - Parameter settle: How long counters settle.
    package init(_ database: Database, _ schema: DatabaseSchema, settle: Duration) {
        (self.database, self.schema, self.settle) = (database, schema, settle)
    }

    /// How many counters settle.
    package var count: Int { suspects.values.reduce(0) { $0 + $1.count } }

    /// Since when some counter has been settling; nil where none is.
    package var oldest: ContinuousClock.Instant? { suspects.values.flatMap(\.values).map(\.since).min() }

    /// Takes counters that may have changed, and looks again at those that have settled.
    ///
    /// - Parameter touched: The counting documents, by their collection.
    /// - Throws: `MongoError`.
    package mutating func look(_ touched: [String: Set<BSONValue>]) async throws -> Outcome {
        var outcome = Outcome()
        for part in try await parts(touched) {
            var findings = FindingCollector()
            findings.add(part.wrong, part.scan.counter, part.scan.collection.name, Checker.counterCodes)
            outcome.findings += findings.sorted
            guard !part.decided.isEmpty else { continue }
            outcome.decided.append(.counters(Array(part.decided), collection: part.scan.collection.name))
        }
        return outcome
    }

    /// The same: those that are wrong, as they were seen, each with how they were looked at.
    mutating func settled(
        _ touched: [String: Set<BSONValue>]
    ) async throws -> [(scan: CounterScan, wrong: [CounterObservation])] {
        try await parts(touched).map { ($0.scan, $0.wrong) }
    }

    /// What isn't looked at, in a sentence; nil where everything is.
    ///
    /// - Throws: `MongoError`.
    package func objection() async throws -> Sentence? {
        for collection in schema.collections {
            for counter in collection.counters {
                guard try await CounterAccess.choose(database, counter) == .onePass else { continue }
                return
                    "\(collection.name).\(counter.field) isn't watched: no index tells its \(counter.counted) apart; one on \(counter.reference), \(counter.deletedField) and \(counter.createdField) would"
            }
        }
        return nil
    }

    /// What came of looking at one counter.
    private struct Part {
        let scan: CounterScan
        var wrong: [CounterObservation] = []
        /// Those that were decided, right or wrong.
        var decided: Set<BSONValue> = []
    }

    private mutating func parts(_ touched: [String: Set<BSONValue>]) async throws -> [Part] {
        var parts: [Part] = []
        for collection in schema.collections {
            for counter in collection.counters {
                let ids = Array(touched[collection.name] ?? [])
                let isDue = suspects[collection.name, default: [:]].values.contains { $0.due <= .now }
                guard !ids.isEmpty || isDue else { continue }
                var part: Part?
                try await database.again(whereIndexIsGone: { part = try await look(collection, counter, ids) })
                guard let part else { continue }
                parts.append(part)
            }
        }
        return parts
    }

    /// - Returns: nil where each look would read all documents.
    private mutating func look(
        _ collection: CollectionSchema, _ counter: Counter, _ ids: [BSONValue]
    ) async throws -> Part? {
        let scan = try await CounterScan(database: database, collection: collection, counter: counter)
        guard case .index = scan.access else { return nil }
        var part = Part(scan: scan)
        try await lookFirst(at: ids, &part)
        try await lookAgain(&part)
        return part
    }

    private mutating func lookFirst(at ids: [BSONValue], _ part: inout Part) async throws {
        let name = part.scan.collection.name
        part.decided.formUnion(ids)
        for drift in try await part.scan.drifts(of: ids, fingerprints: true) {
            part.decided.remove(drift.id)
            // What is touched settles anew, unless it is as it was.
            guard suspects[name]?[drift.id]?.fingerprint != drift.fingerprint else { continue }
            let since = suspects[name]?[drift.id]?.since ?? .now
            suspects[name, default: [:]][drift.id] = Suspect(
                fingerprint: drift.fingerprint, due: .now + settle, since: since)
        }
        for id in part.decided { suspects[name]?[id] = nil }
    }

    private mutating func lookAgain(_ part: inout Part) async throws {
        let name = part.scan.collection.name
        let now = ContinuousClock.now
        let due = suspects[name, default: [:]].filter { $0.value.due <= now }.map(\.key)
        for start in stride(from: 0, to: due.count, by: part.scan.suspectsTogether) {
            let some = Array(due[start..<min(start + part.scan.suspectsTogether, due.count)])
            let wrong = part.scan.wrong(try await part.scan.observeAgain(some))
            let right = Set(some).subtracting(wrong.map(\.id))
            for id in right { suspects[name]?[id] = nil }
            part.decided.formUnion(right)
            for observation in wrong {
                if suspects[name]?[observation.id]?.fingerprint == observation.fingerprint {
                    part.wrong.append(observation)
                    part.decided.insert(observation.id)
                    suspects[name]?[observation.id] = nil
                } else {
                    let since = suspects[name]?[observation.id]?.since ?? .now
                    suspects[name]?[observation.id] = Suspect(
                        fingerprint: observation.fingerprint, due: .now + settle, since: since)
                }
            }
        }
    }
}
