internal import BSON
package import Journal
internal import MongoDriver

/// Keeps counters from being set to zero where what they count isn't there at all.
///
/// A database that was restored in part has its sessions and none of their messages. It is judged on the data as they were
/// before a run's first step, for a step may make the missing collection, and noted in the run's record: a later run, which
/// may find a few new documents there, knows it too.
package struct CounterSafeguard: Sendable {
    private let database: Database
    private let schema: DatabaseSchema

    /// The field of a run's record that names the collections that held nothing when it began.
    private static let field = "heldNothing"

    /// Makes a safeguard.
    package init(database: Database, schema: DatabaseSchema) {
        self.database = database
        self.schema = schema
    }

    /// Notes in a run's record which collections hold nothing, though documents count what should be there.
    ///
    /// - Parameters:
    ///   - run: A run that is about to begin.
    ///   - settings: Whether zero was asked for; then earlier notes are forgotten.
    /// - Throws: `EngineError`, `MongoError`.
    package func note(_ run: Run, _ settings: RepairSettings) async throws {
        if settings.setsZero { return try await run.record.forgetNote(Self.field, run) }
        let empty = try await empty()
        guard !empty.isEmpty else { return }
        let noted = Set(run.record.note(Self.field)?.array?.values.compactMap(\.string) ?? [])
        let all = noted.union(empty).sorted().map { BSONValue.string($0) }
        try await run.record.note(Self.field, .array(BSONArray(all)), run)
    }

    /// The collections whose counters may not be set to zero.
    ///
    /// - Parameter run: The run that sets them; nil for a plan.
    func protected(_ run: Run?, _ settings: RepairSettings) async throws -> Set<String> {
        if settings.setsZero { return [] }
        let own = run?.record.note(Self.field)?.array?.values.compactMap(\.string) ?? []
        return Set(try await RunRecord.notes(Self.field, database) + own).union(try await empty())
    }

    /// The counted collections that aren't there, or hold nothing, beside documents that count something.
    private func empty() async throws -> Set<String> {
        let present = try await database.collections()
        var empty: Set<String> = []
        for collection in schema.collections where present[collection.name]?.isOrdinary ?? false {
            for counter in collection.counters where !empty.contains(counter.counted) {
                guard try await holdsNothing(counter.counted, present) else { continue }
                if try await counts(collection, counter) { empty.insert(counter.counted) }
            }
        }
        return empty
    }

    private func holdsNothing(_ collection: String, _ present: [String: CollectionDescription]) async throws -> Bool {
        guard present[collection] != nil else { return true }
        return try await database.findAll(
            collection, filter: [:], options: ["limit": 1, "projection": ["_id": 1]]
        ).isEmpty
    }

    /// Whether any document says that it counts something: a number above zero, or a time.
    private func counts(_ collection: CollectionSchema, _ counter: Counter) async throws -> Bool {
        let something: BSONValue = [
            .document([counter.field: ["$gt": 0]]),
            .document([counter.latestField: ["$type": "date"]]),
        ]
        return try await !database.findAll(
            collection.name, filter: ["$or": something], options: ["limit": 1, "projection": ["_id": 1]]
        ).isEmpty
    }
}

extension CounterObservation {
    /// Whether setting it would take away what it says, and there is nothing that it could count.
    func wouldLose(_ protected: Bool) -> Bool { protected && truth.live == 0 }
}
