internal import BSON
internal import Journal
internal import MongoDriver

/// Makes the counts of sessions right that have lost messages of seeding's.
struct SessionCounts {
    private let run: Run

    init(_ run: Run) { self.run = run }

    private static let together = 1_000
    /// The application may change a session while its messages are counted; then it is counted again.
    private static let attempts = 5

    /// Gives sessions the counts of their messages, where they have others.
    ///
    /// - Throws: `MongoError`, `EngineError`.
    func correct(_ sessions: [BSONValue]) async throws {
        for start in stride(from: 0, to: sessions.count, by: Self.together) {
            var some = Array(sessions[start..<min(start + Self.together, sessions.count)])
            for _ in 1...Self.attempts where !some.isEmpty { some = try await attempt(some) }
            run.totals.left(
                SeedCode.session, ChatCollection.sessions, some.count, field: "message_count",
                reason: "changed while it was looked at", samples: some)
        }
    }

    private func attempt(_ sessions: [BSONValue]) async throws -> [BSONValue] {
        let found = try await run.database.findAll(
            ChatCollection.sessions, filter: ["_id": ["$in": .array(BSONArray(sessions))]],
            options: ["projection": ["message_count": 1, "last_message_at": 1]])
        let tallies = try await ChatPlan.Tally.ofOthers(in: sessions, but: [], run.database)
        let changes = found.compactMap { session in
            (tallies[session["_id"] ?? .null] ?? ChatPlan.Tally()).change(of: session)
        }
        return try await run.apply(changes, in: ChatCollection.sessions, code: SeedCode.session)
    }
}
