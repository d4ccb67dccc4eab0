internal import BSON

/// The workshop of ``IncidentGenerator``.
struct IncidentBuilder {
    /// When the first session was made: 2025-11-04T12:00:00Z, in milliseconds.
    static let start: Int64 = 1_762_257_600_000

    var random: SplitMix64
    let rates: DamageRates
    /// The users' true `_id`s.
    var userIDs: [ObjectID] = []
    var users: [ExpectedDocument] = []
    var sessions: [DraftSession] = []
    var messages: [ExpectedDocument] = []
    var artifacts: [ExpectedDocument] = []

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        rates = DamageRates(&random)
    }

    /// An ObjectId as a server or a driver would have made it at a time.
    mutating func newID(at milliseconds: Int64) -> ObjectID {
        let seconds = UInt64(milliseconds / 1000)
        let tail = random.next()
        let front = (0..<4).map { UInt8(truncatingIfNeeded: seconds >> (24 - 8 * UInt64($0))) }
        let back = (0..<8).map { UInt8(truncatingIfNeeded: tail >> (56 - 8 * UInt64($0))) }
        return ObjectID(bytes: front + back) ?? .min
    }

    /// The sessions' documents, made last, when their messages are known, and everything else.
    mutating func finished() -> [String: [ExpectedDocument]] {
        let drafts = sessions
        return [
            "users": users, "chat_sessions": drafts.map { finish($0) }, "messages": random.shuffled(messages),
            "artifacts": artifacts,
        ]
    }
}
