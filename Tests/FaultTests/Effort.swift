import Foundation

/// How much of the matrix is run: a sample in `make test`, all of it in `make test-faults`.
enum Effort {
    static let isFull = ProcessInfo.processInfo.environment["CHAT_ADMIN_FAULTS"] == "all"

    /// The next point after one: every one, or a few spread out, never the same few for two scenarios.
    static func next(after point: Int, stride: Int) -> Int { point + (isFull ? 1 : stride) }
}
