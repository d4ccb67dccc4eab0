import Journal
import MongoDriver
import Testing

@Suite("Going on after a failure")
struct RetryPolicyTests {
    private static let broken = MongoError(.network, "socket error")

    @Test("what passes by itself is waited for, longer each time, with jitter")
    func grows() throws {
        var policy = RetryPolicy()
        var pauses: [Duration] = []
        while let pause = policy.pause(after: Self.broken, mark: 7, jitter: 1) { pauses.append(pause) }
        #expect(pauses.count == RetryPolicy.attempts - 1)
        #expect(pauses.prefix(4) == [.milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800)])
        #expect(pauses.last == .seconds(5))
        var other = RetryPolicy()
        #expect(other.pause(after: Self.broken, mark: 7, jitter: 0) == .milliseconds(50))
    }

    @Test("progress in between begins the count anew")
    func progress() {
        var policy = RetryPolicy()
        for mark in 0..<100 {
            #expect(policy.pause(after: Self.broken, mark: Int64(mark), jitter: 1) == .milliseconds(100))
        }
    }

    @Test(
        "what doesn't pass by itself stands",
        arguments: [
            MongoError(.duplicateKey, "taken", code: 11000), MongoError(.unauthorized, "no", code: 13),
            MongoError(.documentValidation, "no", code: 121), MongoError(.authentication, "no", code: 18),
            MongoError(.server, "bad value", code: 2),
        ])
    func stands(error: MongoError) {
        var policy = RetryPolicy()
        #expect(policy.pause(after: error, mark: 0) == nil)
    }

    @Test(
        "elections, shutdowns, labels and writes that a majority hasn't confirmed pass by themselves",
        arguments: [
            MongoError(.server, "not primary", code: 10107), MongoError(.server, "shutdown", code: 11600),
            MongoError(.writeConcern, "waiting for replication timed out", code: 64),
            MongoError(.unreachable, "no server"), MongoError(.server, "conflict", code: 112),
            MongoError(.server, "?", code: 1, labels: ["TransientTransactionError"]),
            MongoError(.timeout, "commit", code: 50, labels: ["UnknownTransactionCommitResult"]),
        ])
    func passes(error: MongoError) {
        var policy = RetryPolicy()
        #expect(policy.pause(after: error, mark: 0) != nil)
    }

    @Test("the cause is found within a failed step, and beside a second failure")
    func nested() {
        let twice = UnrecordedFailure(first: Self.broken, second: MongoError(.unreachable, "gone"))
        let step = EngineError.stepFailed(version: 2, name: "repair-ids", underlying: twice)
        #expect(RetryPolicy.transientCause(of: step)?.kind == .network)
        #expect(RetryPolicy.transientCause(of: EngineError.leaseLost) == nil)
        #expect(RetryPolicy.transientCause(of: EngineError.interrupted(.signal(2))) == nil)
    }
}
