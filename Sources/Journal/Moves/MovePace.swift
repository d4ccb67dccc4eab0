internal import Synchronization

/// How many documents move together, so that what can't be interrupted takes about half a second.
///
/// Each part looks for its documents' references once, which may be a pass over a whole collection: so there is a least
/// number, below which smaller parts would only cost more passes.
final class MovePace: Sendable {
    private static let (least, most) = (50, 500)
    private static let (short, long) = (Duration.milliseconds(250), Duration.milliseconds(700))

    private let state = Mutex(100)

    /// The number of documents of the next part.
    var size: Int { state.withLock { $0 } }

    /// Learns from a part.
    func took(_ time: Duration, documents: Int) {
        state.withLock { size in
            if time > Self.long {
                size = max(size / 2, Self.least)
            } else if time < Self.short, documents >= size {
                size = min(size * 2, Self.most)
            }
        }
    }
}
