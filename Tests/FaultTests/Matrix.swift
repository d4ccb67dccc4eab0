import Synchronization
import TestSupport

/// Points of a command, such as its writes, at each of which something is done to it.
enum Matrix {
    /// Tries one point after another, several at once on servers of their own, until the command gets through without
    /// reaching one.
    ///
    /// - Parameters:
    ///   - kind: What the servers are.
    ///   - version: Which MongoDB they are.
    ///   - start: The first point of a sample; the whole matrix begins at 0.
    ///   - stride: How far apart the points of a sample are.
    ///   - isSample: Whether a sample is enough, even where the whole matrix is run.
    ///   - body: Tries a point in a database of its own, and says whether the command got there.
    /// - Returns: How many points were reached.
    static func forEachPoint(
        on kind: TestServer.Kind, version: ServerVersion = .standard, from start: Int, stride: Int,
        isSample: Bool = false, _ body: @escaping @Sendable (TestDatabase, Int) async throws -> Bool
    ) async throws -> Int {
        let isWhole = Effort.isFull && !isSample && version == .standard
        let points = Points(start: isWhole ? 0 : start, stride: isWhole ? 1 : stride)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<ServerFleet.size {
                group.addTask {
                    while let point = points.next() {
                        let isReached = try await ServerFleet.shared.withServer(kind, version: version) { server in
                            try await server.withDatabase { try await body($0, point) }
                        }
                        points.report(isReached)
                    }
                }
            }
            try await group.waitForAll()
        }
        return points.reached
    }

    private final class Points: Sendable {
        private let state: Mutex<(next: Int, reached: Int, isThrough: Bool)>
        private let stride: Int

        init(start: Int, stride: Int) {
            state = Mutex((start, 0, false))
            self.stride = stride
        }

        var reached: Int { state.withLock { $0.reached } }

        func next() -> Int? {
            state.withLock { state in
                guard !state.isThrough else { return nil }
                defer { state.next += stride }
                return state.next
            }
        }

        func report(_ isReached: Bool) {
            state.withLock { state in
                if isReached { state.reached += 1 } else { state.isThrough = true }
            }
        }
    }
}
