internal import Synchronization

/// Counts findings by their codes, from several tasks.
final class CodeCounts: Sendable {
    private let counts = Mutex<[FindingCode: Int]>([:])

    func add(_ code: FindingCode, _ count: Int = 1) {
        guard count > 0 else { return }
        counts.withLock { $0[code, default: 0] += count }
    }

    subscript(code: FindingCode) -> Int? { counts.withLock { $0[code] } }
}
