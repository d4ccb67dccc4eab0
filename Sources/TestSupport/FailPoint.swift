internal import BSON
internal import MongoDriver

/// A fault that a server has been told to make, such as breaking the connection at the third insert.
///
/// A server has one fail point of each name at a time, so tests that use them on a shared server take turns: see
/// ``TestServer/withFailPoint(_:mode:name:_:)``.
package struct FailPoint: Sendable {
    /// When a fail point acts.
    package enum Mode: Sendable {
        /// Each time.
        case alwaysOn
        /// So many times, then never again.
        case times(Int32)
        /// Each time after the first so many.
        case skip(Int32)

        var value: BSONValue {
            switch self {
            case .alwaysOn: "alwaysOn"
            case .times(let count): ["times": .int32(count)]
            case .skip(let count): ["skip": .int32(count)]
            }
        }
    }

    let server: TestServer
    let name: String
    /// How often it had been entered when it was set.
    let entered: Int64

    /// Waits until it has acted.
    ///
    /// - Parameters:
    ///   - times: How often, counted from when it was set.
    ///   - limit: How long to wait at most.
    /// - Throws: an error when it hasn't by then.
    package func waitUntilEntered(times: Int = 1, within limit: Duration = .seconds(60)) async throws {
        try await waitUntil("fail point \(name) entered \(times) times", within: limit, every: .zero) {
            try await isEntered(times)
        }
    }

    /// Whether it has acted so often; the server waits up to a quarter of a second for it, so that a cancelled task
    /// needn't wait much longer.
    package func isEntered(_ times: Int = 1) async throws -> Bool {
        let command: BSONDocument = [
            "waitForFailPoint": .string(name), "timesEntered": .int64(entered + Int64(times)), "maxTimeMS": 250,
        ]
        do {
            _ = try await server.admin.withClient { try await $0.run(command, on: "admin") }
            return true
        } catch let error as MongoError where error.kind == .timeout {
            return false
        }
    }

    /// Ends it now. Commands that it blocks go on.
    package func off() async throws { try await server.turnOffFailPoint(name) }
}
