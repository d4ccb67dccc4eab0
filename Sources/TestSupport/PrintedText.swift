internal import Subprocess
internal import Synchronization

/// What a running program has printed so far on one of its outputs.
final class PrintedText: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isCutShort = false
    }

    private let state = Mutex(State())

    /// The text so far. A character that is only half there yet is repaired.
    var text: String { String(decoding: state.withLock { $0.bytes }, as: UTF8.self) }

    /// Whether the program was killed because its time was over.
    var isCutShort: Bool { state.withLock { $0.isCutShort } }

    func cutShort() { state.withLock { $0.isCutShort = true } }

    /// Reads until the program closes the output.
    func collect(_ sequence: SubprocessOutputSequence) async throws {
        for try await buffer in sequence {
            buffer.withUnsafeBytes { bytes in state.withLock { $0.bytes.append(contentsOf: bytes) } }
        }
    }
}
