package import BSON
internal import MongoDriver

extension TestServer {
    /// Sets a fail point while a closure runs, and ends it afterwards, whatever happens.
    ///
    /// Only one at a time can be set on a server by tests of this process: others wait for their turn.
    ///
    /// - Parameters:
    ///   - fault: What `failCommand` is to do.
    ///   - mode: When it is to act.
    ///   - body: Runs while it is set.
    @discardableResult
    package func withFailPoint<R: Sendable>(
        _ fault: FailCommand, mode: FailPoint.Mode = .alwaysOn, _ body: (FailPoint) async throws -> R
    ) async throws -> R {
        try await withFailPoint("failCommand", mode: mode, data: fault.document, body)
    }

    /// Sets any fail point of the server's while a closure runs, as ``withFailPoint(_:mode:_:)`` does.
    @discardableResult
    package func withFailPoint<R: Sendable>(
        _ name: String, mode: FailPoint.Mode = .alwaysOn, data: BSONDocument = [:],
        _ body: (FailPoint) async throws -> R
    ) async throws -> R {
        await failPointTurn.take()
        do {
            let result = try await body(configureFailPoint(name, mode: mode, data: data))
            try await turnOffFailPoint(name)
            await failPointTurn.give()
            return result
        } catch {
            // The body's error says more than one of the clean-up.
            try? await turnOffFailPoint(name)
            await failPointTurn.give()
            throw error
        }
    }

    /// Sets a fail point that stays until ``FailPoint/off()``; for servers that nobody else uses.
    package func configureFailPoint(
        _ name: String = "failCommand", mode: FailPoint.Mode = .alwaysOn, data: BSONDocument
    ) async throws -> FailPoint {
        let command: BSONDocument = ["configureFailPoint": .string(name), "mode": mode.value, "data": .document(data)]
        let reply = try await admin.withClient { try await $0.run(command, on: "admin") }
        return FailPoint(server: self, name: name, entered: reply["count"]?.integer ?? 0)
    }

    /// Sets `failCommand`, which stays until ``FailPoint/off()``; for servers that nobody else uses.
    package func configureFailPoint(_ fault: FailCommand, mode: FailPoint.Mode = .alwaysOn) async throws -> FailPoint {
        try await configureFailPoint(mode: mode, data: fault.document)
    }

    func turnOffFailPoint(_ name: String) async throws {
        let command: BSONDocument = ["configureFailPoint": .string(name), "mode": "off"]
        _ = try await admin.withClient { try await $0.run(command, on: "admin") }
    }
}
