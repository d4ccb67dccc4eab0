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

    /// Takes counters that may have changed, and looks again at those that have settled.
    ///
    /// - Parameter touched: The counting documents, by their collection.
    /// - Throws: `MongoError`.
    package mutating func look(_ touched: [String: Set<BSONValue>]) async throws -> Outcome {
        var outcome = Outcome()
        for collection in schema.collections {
            for counter in collection.counters {
                let ids = Array(touched[collection.name] ?? [])
                let now = ContinuousClock.now
                let due = (suspects[collection.name] ?? [:]).filter { $0.value.due <= now }
                guard !ids.isEmpty || !due.isEmpty else { continue }
                let scan = try await CounterScan(database: database, collection: collection, counter: counter)
                // Each look would read all documents.
                guard case .index = scan.access else { continue }
                var (decided, findings) = (Set<BSONValue>(), FindingCollector())
                let first = try await scan.drifts(of: ids, fingerprints: true)
                decided.formUnion(ids)
                for drift in first {
                    decided.remove(drift.id)
                    // What is touched settles anew, unless it is as it was.
                    guard suspects[collection.name]?[drift.id]?.fingerprint != drift.fingerprint else { continue }
                    suspects[collection.name, default: [:]][drift.id] = Suspect(
                        fingerprint: drift.fingerprint, due: .now + settle)
                }
                for id in decided { suspects[collection.name]?[id] = nil }
                let settled = due.keys.filter { suspects[collection.name]?[$0].map { $0.due <= now } ?? false }
                var wrong: [CounterObservation] = []
                var right = Set(settled)
                for start in stride(from: 0, to: settled.count, by: scan.suspectsTogether) {
                    let some = Array(settled[start..<min(start + scan.suspectsTogether, settled.count)])
                    for observation in scan.wrong(try await scan.observeAgain(some)) {
                        right.remove(observation.id)
                        if suspects[collection.name]?[observation.id]?.fingerprint == observation.fingerprint {
                            wrong.append(observation)
                            suspects[collection.name]?[observation.id] = nil
                            decided.insert(observation.id)
                        } else {
                            suspects[collection.name]?[observation.id] = Suspect(
                                fingerprint: observation.fingerprint, due: .now + settle)
                        }
                    }
                }
                for id in right { suspects[collection.name]?[id] = nil }
                decided.formUnion(right)
                findings.add(wrong, counter, collection.name, Checker.counterCodes)
                outcome.findings += findings.sorted
                if !decided.isEmpty {
                    outcome.decided.append(.counters(Array(decided), collection: collection.name))
                }
            }
        }
        return outcome
    }
}
