internal import BSON

/// What a session's true messages amount to, and which stored counters agree with it (§2 of the design).
struct SessionTally: Sendable {
    /// How much later than the newest message `last_message_at` may be, in milliseconds.
    static let tolerance: Int64 = 60_000

    /// The number of live messages.
    var live = 0
    /// When the newest of those was written.
    var newestLive: Int64?
    /// When the newest message of any kind was written.
    var newest: Int64?

    /// The tallies of all sessions that have messages, by the session's key.
    ///
    /// - Parameter fields: Whether absent fields have been filled.
    static func all(_ messages: [ExpectedDocument], fields: Bool = false) -> [String: SessionTally] {
        var tallies: [String: SessionTally] = [:]
        for message in messages {
            guard let session = message.session else { continue }
            let isLive = message.isLive || (fields && message.lacksDeleted)
            tallies[session, default: SessionTally()].add(createdAt: message.createdAt ?? 0, isLive: isLive)
        }
        return tallies
    }

    mutating func add(createdAt: Int64, isLive: Bool) {
        newest = max(newest ?? .min, createdAt)
        guard isLive else { return }
        live += 1
        newestLive = max(newestLive ?? .min, createdAt)
    }

    /// Whether a stored `message_count` is right: an integer of the right value.
    func isRightCount(_ stored: BSONValue?) -> Bool { stored?.integer == Int64(live) }

    /// Whether a stored `last_message_at` is right.
    func isRightLast(_ stored: BSONValue?) -> Bool {
        guard let stored, !stored.isNull else { return live == 0 }
        guard let date = stored.date, let newest else { return false }
        return date >= newestLive ?? .min && date <= newest + Self.tolerance
    }
}
