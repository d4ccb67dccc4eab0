package import BSON
internal import Synchronization

/// The moments at which the data were true that were read, as replica sets count time.
package final class ReadMoments: Sendable {
    private struct Moments {
        /// The server's clock, in milliseconds since 1970, and when it was asked.
        var clock: (milliseconds: Int64, asked: ContinuousClock.Instant)?
        var oldest: BSONTimestamp?
        var longestLag: UInt32?
    }

    private let moments = Mutex(Moments())

    /// Nothing was read yet.
    package init() {}

    /// The oldest moment of all that was read; nil where nothing was, or from a standalone server.
    var oldest: BSONTimestamp? { moments.withLock { $0.oldest } }

    /// The longest time, in seconds, that a reply's data may have been out of date.
    package var longestLag: UInt32? { moments.withLock { $0.longestLag } }

    /// Forgets everything.
    ///
    /// - Parameter serverTime: What the server's clock says now, in milliseconds since 1970, where that is known.
    package func reset(serverTime: Int64? = nil) {
        moments.withLock { $0 = Moments(clock: serverTime.map { ($0, .now) }) }
    }

    /// Takes a read's reply into account.
    ///
    /// A snapshot says of what moment it is (`atClusterTime`). Any other read shows what the member had applied when it
    /// answered, or what a majority had of it, according to its read concern (`operationTime`).
    ///
    /// Data are as recent as can be where the set knows of nothing newer. Where it does, they may have been out of date
    /// since the moment after theirs, so they are as old as the server's clock says: an idle set's own time stands still
    /// for up to ten seconds (`periodicNoopIntervalSecs`).
    package func note(_ reply: BSONDocument) {
        let seen = reply.value(at: "cursor", "atClusterTime") ?? reply["atClusterTime"] ?? reply["operationTime"]
        guard case .timestamp(let seen) = seen else { return }
        moments.withLock { moments in
            moments.oldest = moments.oldest.map { min($0, seen) } ?? seen
            guard case .timestamp(let newest) = reply.value(at: "$clusterTime", "clusterTime") else { return }
            var lag: UInt32 = 0
            if newest > seen {
                let now = moments.clock.map {
                    $0.milliseconds / 1000 + (ContinuousClock.now - $0.asked).components.seconds
                }
                lag = max(newest.seconds, UInt32(clamping: now ?? 0)) - seen.seconds
            }
            moments.longestLag = max(moments.longestLag ?? 0, lag)
        }
    }
}
