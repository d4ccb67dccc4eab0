package import BSON
internal import MongoDriver
internal import Synchronization

/// Looks after one command that changes the catalogue while it runs: it gives way to writers, says what it waits for, and
/// ends when its run has to.
///
/// Such a command needs its collection for itself, for a moment at least. While somebody's transaction is open on it the
/// command waits, for a minute perhaps, and every writer of the collection waits behind the command. `maxTimeMS` won't do: it
/// would also end an index build that has begun, and a wait for the other members of a replica set. So the server is
/// asked through another connection, by a comment that no other command has, and only a command that waits for a lock is
/// ended. Looking at one's own operations, and ending them, needs no privilege.
package final class CatalogWatch: Sendable {
    /// How long a command may wait for a lock before it gives way, at first and at most: where much else wants a lock, it
    /// would never have its turn otherwise.
    static let patience = (first: Duration.milliseconds(200), longest: Duration.milliseconds(600))
    /// How long to rest between two looks. Most commands are over before the first.
    private static let interval = Duration.milliseconds(100)
    /// From when on it is said that a command takes its time.
    private static let silence = Duration.seconds(1)
    /// The server's code for a command that was ended by `killOp`.
    private static let interrupted: Int32 = 11601

    private struct State {
        /// Since when every look has found the command waiting for a lock.
        var waitingSince: ContinuousClock.Instant?
        /// Whether it has begun with work that takes long, and would be lost.
        var hasBegun = false
        var hasGivenWay = false
        /// Why the run has to end, once that was found.
        var stop: EngineError?
    }

    private let run: Run
    private let command: BSONDocument
    private let words: String
    private let comment: BSONValue
    private let isLengthy: Bool
    private let patience: Duration
    private let start = ContinuousClock.now
    private let state = Mutex(State())

    /// - Parameters:
    ///   - command: A command of ``CatalogCommand``.
    ///   - patience: How long it may wait for a lock.
    init(_ run: Run, _ command: BSONDocument, patience: Duration) {
        self.run = run
        self.patience = patience
        comment = .string("chat-admin \(ObjectID.now().hex)")
        words = CatalogCommand.words(command)
        isLengthy = CatalogCommand.lengthy.contains(command.keys.first ?? "")
        var complete = command.removing("comment")
        complete.append("comment", comment)
        // Unless told otherwise a build waits for every member that votes, also for one that is down.
        if command.keys.first == "createIndexes", command["commitQuorum"] == nil,
            run.database.server.topology == .replicaSet
        {
            complete.append("commitQuorum", "majority")
        }
        self.command = complete
    }

    /// Runs the command.
    ///
    /// - Returns: Whether it was done; else it has given way, and may be tried again.
    /// - Throws: ``MongoError``, or ``EngineError`` when the run had to end meanwhile and the command was ended.
    func perform() async throws -> Bool {
        let writer = try run.writer
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.look() }
            defer { group.cancelAll() }
            do {
                try await writer.run(
                    command, on: run.database.name, concern: command["writeConcern"] == nil ? .majorityJournaled : nil)
                return true
            } catch let error as MongoError where error.code == Self.interrupted {
                let (stop, hasGivenWay) = state.withLock { ($0.stop, $0.hasGivenWay) }
                if let stop { throw stop }
                // Where only its durability couldn't be confirmed, the command is done.
                guard hasGivenWay, error.kind == .server else { throw error }
                return false
            }
        }
    }

    /// Looks again and again until it is cancelled.
    private func look() async {
        do {
            try await Task.sleep(for: Self.interval)
            try await run.database.client.withSibling { client in
                while !Task.isCancelled {
                    let operations = try? await operations(client)
                    try await judge(operations ?? [], client)
                    try await Task.sleep(for: Self.interval)
                }
            }
        } catch {
            // Cancelled, or no second connection to be had; the command goes on by itself.
        }
    }

    private func judge(_ operations: [BSONDocument], _ client: MongoClient) async throws {
        // The command has come to its end meanwhile, or the run is told by whoever cancelled it.
        guard !Task.isCancelled else { return }
        let own = operations.first { $0.value(at: "command", "comment") == comment }
        let isWaiting = own?["waitingForLock"]?.bool ?? false
        let now = ContinuousClock.now
        let isOver = state.withLock { state in
            if own != nil, !isWaiting { state.hasBegun = isLengthy }
            state.waitingSince = isWaiting ? state.waitingSince ?? now - Self.interval : nil
            return !state.hasBegun && state.waitingSince.map { now - $0 >= patience } ?? false
        }
        do {
            try run.checkpoint()
            if isOver {
                state.withLock { $0.hasGivenWay = true }
                try await end(own, client)
            } else if now - start >= Self.silence {
                run.progress(
                    ProgressUpdate("waiting", done: run.totals.totalChanged, waiting: reason(operations, own))
                )
            }
        } catch let error as EngineError {
            state.withLock { $0.stop = error }
            try await end(own, client)
        }
    }

    private func end(_ operation: BSONDocument?, _ client: MongoClient) async throws {
        guard let id = operation?["opid"] else { return }
        _ = try? await client.run(["killOp": 1, "op": id], on: "admin")
    }

    /// The command itself, and the builds of indexes where this user may see those.
    private func operations(_ client: MongoClient) async throws -> [BSONDocument] {
        let name = command[command.keys.first ?? ""]?.string ?? ""
        let pipeline: BSONArray = [
            ["$currentOp": [:]],
            [
                "$match": [
                    "$or": [
                        ["command.comment": comment],
                        [
                            "desc": .regularExpression(BSONRegularExpression(pattern: "^IndexBuilds")),
                            "ns": .string(run.database.namespace(name).description),
                        ],
                    ]
                ]
            ],
        ]
        let reply = try await client.run(
            ["aggregate": 1, "pipeline": .array(pipeline), "cursor": [:], "maxTimeMS": 10_000], on: "admin")
        return (reply.value(at: "cursor", "firstBatch")?.array?.values ?? []).compactMap(\.document)
    }

    /// Why a command takes long, in words: what the server says of an index build, or what is left to be waited for.
    private func reason(_ operations: [BSONDocument], _ own: BSONDocument?) -> Sentence {
        let seconds = (ContinuousClock.now - start).components.seconds
        let since = "(\(seconds) s)"
        if let message = operations.compactMap({ $0["msg"]?.string }).first {
            return "to \(words): \(message) \(since)"
        }
        if own?["waitingForLock"]?.bool == true { return "to \(words), for an open transaction to end \(since)" }
        guard run.database.server.topology == .replicaSet else { return "to \(words) \(since)" }
        return "to \(words), for a majority of the members to have it \(since)"
    }
}

extension Run {
    /// How long writers are let through before a command that has given way is tried again; doubled each time.
    private static let shortestRest = Duration.milliseconds(500)
    private static let longestRest = Duration.seconds(2)

    /// Runs a command that changes the catalogue, and lets writers of its collection through whenever it would hold them up
    /// behind somebody's open transaction.
    ///
    /// - Parameter command: A command of ``CatalogCommand``; a comment, a write concern and a commit quorum are added.
    /// - Throws: ``MongoError``, ``EngineError`` when the run has to end before it could be done.
    package func changeCatalog(_ command: BSONDocument) async throws {
        defer {
            let name = command.keys.first ?? ""
            if ["createIndexes", "dropIndexes"].contains(name) {
                database.catalog.forgetIndexes(of: command[name]?.string ?? "")
            } else {
                database.forgetCatalog()
            }
        }
        var rest = Self.shortestRest
        var patience = CatalogWatch.patience.first
        let start = ContinuousClock.now
        while try await !CatalogWatch(self, command, patience: patience).perform() {
            patience = min(patience * 2, CatalogWatch.patience.longest)
            try await pause(for: rest) { _ in
                let seconds = (ContinuousClock.now - start).components.seconds
                let reason: Sentence =
                    "to \(CatalogCommand.words(command)), for an open transaction to end (\(seconds) s)"
                progress(ProgressUpdate("waiting", done: totals.totalChanged, waiting: reason))
            }
            rest = min(rest * 2, Self.longestRest)
        }
    }
}
