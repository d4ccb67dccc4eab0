/// Something that happens once, and that one task waits for.
struct Occurrence: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    /// It hasn't happened yet.
    init() { (stream, continuation) = AsyncStream.makeStream() }

    /// It has happened; again, it does nothing.
    func occur() { continuation.finish() }

    /// Waits until it has happened.
    ///
    /// - Throws: `CancellationError` where the task is cancelled first.
    func wait() async throws {
        for await _ in stream {}
        try Task.checkCancellation()
    }
}
