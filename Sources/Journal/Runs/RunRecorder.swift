package import BSON
internal import MongoDriver
internal import Synchronization

/// Keeps a run's record in `chat_admin.runs`: made with the run's first journal entry, so that a run that finds nothing to
/// do leaves no trace, and brought to its end by ``finish(_:error:)``.
package final class RunRecorder: Sendable {
    private struct State {
        var exists: Bool
        var notes: BSONDocument = [:]
        var operations: [OperationRecord] = []
        var isUnjournalled = false
    }

    private let description: RunDescription
    private let state: Mutex<State>

    /// More operations of one run aren't recorded one by one.
    private static let mostOperations = 1000

    /// - Parameter exists: Whether the record was made before.
    init(_ description: RunDescription, exists: Bool = false) {
        self.description = description
        state = Mutex(State(exists: exists))
    }

    /// The same for a run that goes on for one which has ended: its record is there.
    func resuming() -> RunRecorder { RunRecorder(description, exists: true) }

    /// The same for another run of the same command.
    func anew() -> RunRecorder { RunRecorder(description) }

    /// Whether the run has written anything yet.
    package var exists: Bool { state.withLock { $0.exists } }

    /// Whether the run did something that the journal can't undo.
    package var isUnjournalled: Bool {
        get { state.withLock { $0.isUnjournalled } }
        set { state.withLock { $0.isUnjournalled = newValue } }
    }

    /// Makes the state collections and the record, once.
    ///
    /// The lease is confirmed after the record is durable: whoever makes a lease anew, where somebody has dropped it, then
    /// finds this one's token, and takes a larger one.
    ///
    /// - Throws: ``EngineError/leaseLost``, `MongoError`.
    package func begin(_ run: Run) async throws {
        guard !exists else { return }
        try await StateCollection.prepare(run)
        let database = run.database
        var record: BSONDocument = ["_id": .objectID(run.id), "state": "running", "startedAt": WallClock.now]
        if let token = run.gate.token { record.append("token", .int64(token)) }
        for element in description.document.rawElements { record.append(raw: element) }
        for element in state.withLock({ $0.notes }).rawElements { record.append(raw: element) }
        record.append(
            "server",
            [
                "version": .string(database.server.version), "topology": .string(database.server.topology.rawValue),
                "connection": .string(database.client.connectionString.description),
            ])
        do {
            try await run.writer.bulkWrite(database.namespace(StateCollection.runs), [.insert(record)])
        } catch let error as MongoError where error.kind == .duplicateKey {
            // Written by an attempt whose answer was lost; or somebody has made another field of the records unique.
            let found = try await database.findAll(StateCollection.runs, filter: ["_id": .objectID(run.id)])
            guard !found.isEmpty else { throw StateError(StateCollection.runs, .server(error.message)) }
        }
        do {
            try await run.confirmLease()
        } catch EngineError.leaseLost {
            // It has done nothing. Where the record can't be taken away, the next run closes it.
            _ = try? await database.client.bulkWrite(
                database.namespace(StateCollection.runs), [.deleteOne(filter: ["_id": .objectID(run.id)])])
            throw EngineError.leaseLost
        }
        state.withLock { $0.exists = true }
    }

    /// Writes the end of the run into its record.
    ///
    /// - Parameter error: Why it failed, or nil.
    /// - Throws: `MongoError`.
    package func finish(_ run: Run, error: (any Error)? = nil) async throws {
        guard exists else { return }
        let outcome: String =
            switch error {
            case nil: "done"
            case .some(EngineError.interrupted): "interrupted"
            case .some: "failed"
            }
        var fields: BSONDocument = [
            "state": .string(outcome), "finishedAt": WallClock.now,
            "changes": .array(BSONArray(run.totals.changes.map(\.bson))),
            "left": .array(worded(run.totals.leftovers)),
            "operations": .array(BSONArray(state.withLock { $0.operations }.map { .document($0.document) })),
        ]
        if let error { fields.append("error", .string(words(error))) }
        try await update(["$set": .document(fields)], run)
    }

    /// An error as records keep it: without secrets, and of bounded length, for a server repeats what it refuses.
    package func words(_ error: any Error) -> String {
        Redaction.redact(Sentence(of: error).text(description.words)).excerpt(maximumCharacters: 4000)
    }

    /// What was left, as records keep it.
    package func worded(_ leftovers: [Leftover]) -> BSONArray {
        BSONArray(leftovers.map { $0.bson(description.words) })
    }

    /// Takes away the record of a run that has written nothing else.
    ///
    /// - Throws: ``EngineError``, `MongoError`.
    func withdraw(_ run: Run) async throws {
        guard exists else { return }
        try await run.writer.bulkWrite(
            run.database.namespace(StateCollection.runs), [.deleteOne(filter: ["_id": .objectID(run.id)])])
        state.withLock { $0.exists = false }
    }

    /// Notes something in the record, such as which run it undoes; the record may still be to be written.
    package func note(_ key: String, _ value: BSONValue, _ run: Run) async throws {
        state.withLock { $0.notes[key] = value }
        if exists { try await update(["$set": .document([key: value])], run) }
    }

    /// What ``note(_:_:_:)`` has noted under a key.
    package func note(_ key: String) -> BSONValue? { state.withLock { $0.notes[key] } }

    /// Takes a note out of the records of all runs.
    ///
    /// - Throws: ``EngineError``, `MongoError`.
    package func forgetNote(_ key: String, _ run: Run) async throws {
        state.withLock { $0.notes[key] = nil }
        try await run.writer.bulkWrite(
            run.database.namespace(StateCollection.runs),
            [
                .updateMany(
                    filter: BSONDocument([(key, .document(["$exists": true]))]),
                    update: ["$unset": .document([key: ""])])
            ])
    }

    /// Adds a piece of work to what the record says was done.
    func add(_ operation: OperationRecord) {
        state.withLock { if $0.operations.count < Self.mostOperations { $0.operations.append(operation) } }
    }

    private func update(_ update: BSONDocument, _ run: Run) async throws {
        try await run.writer.bulkWrite(
            run.database.namespace(StateCollection.runs),
            [.updateOne(filter: ["_id": .objectID(run.id)], update: update)])
    }
}
