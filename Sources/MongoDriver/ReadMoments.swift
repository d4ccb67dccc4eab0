internal import BSON
internal import Synchronization

/// The moments at which the data were true that were read, as replica sets count time.
final class ReadMoments: Sendable {
    private struct Moments {
        var oldest: BSONTimestamp?
        var longestLag: UInt32?
    }

    private let moments = Mutex(Moments())

    /// The oldest moment of all that was read; nil where nothing was, or from a standalone server.
    var oldest: BSONTimestamp? { moments.withLock { $0.oldest } }

    /// The longest time, in seconds, that a reply's data were behind what its server knew of the set.
    var longestLag: UInt32? { moments.withLock { $0.longestLag } }

    /// Forgets everything.
    func reset() { moments.withLock { $0 = Moments() } }

    /// Takes a read's reply into account.
    ///
    /// A snapshot says of what moment it is (`atClusterTime`). Any other read shows what the member had applied when it
    /// answered, or what a majority had of it, according to its read concern (`operationTime`).
    func note(_ reply: BSONDocument) {
        let seen = reply.value(at: "cursor", "atClusterTime") ?? reply["atClusterTime"] ?? reply["operationTime"]
        guard case .timestamp(let seen) = seen else { return }
        var lag: UInt32?
        if case .timestamp(let newest) = reply.value(at: "$clusterTime", "clusterTime") {
            lag = newest.seconds > seen.seconds ? newest.seconds - seen.seconds : 0
        }
        moments.withLock { moments in
            moments.oldest = moments.oldest.map { min($0, seen) } ?? seen
            if let lag { moments.longestLag = max(moments.longestLag ?? 0, lag) }
        }
    }
}
