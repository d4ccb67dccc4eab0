/// Waits for a condition by asking again and again, without ever trusting a fixed pause.
///
/// - Parameters:
///   - what: The condition in words, for the error.
///   - limit: How long to wait at most.
///   - interval: How long to rest between two looks.
///   - condition: Looks once.
/// - Throws: ``TestSupportError`` when the time is over, or what the condition throws.
package func waitUntil(
    _ what: String, within limit: Duration = .seconds(60), every interval: Duration = .milliseconds(20),
    _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while true {
        if try await condition() { return }
        guard clock.now < deadline else { throw TestSupportError("Not within \(limit): \(what)") }
        try await clock.sleep(for: interval)
    }
}
