internal import Foundation

/// Servers of which each is lent to one test at a time, for what concerns a whole server: a fail point, its sessions.
///
/// They are started when they are needed, and end with this process.
package actor ServerFleet {
    /// The fleet of this process.
    package static let shared = ServerFleet()
    /// How many servers of a kind there are at most: what is tried on them mostly waits, but beside all other tests a
    /// few more would starve those.
    package static let size = ProcessInfo.processInfo.environment["CHAT_ADMIN_FAULTS"] == "all" ? 8 : 2

    private var idle: [TestServer.Model: [TestServer]] = [:]
    private var started: [TestServer.Model: Int] = [:]
    private var waiting: [TestServer.Model: [CheckedContinuation<TestServer, Never>]] = [:]

    /// Lends a server to a closure, waiting for one to become free.
    package nonisolated func withServer<R: Sendable>(
        _ kind: TestServer.Kind, version: ServerVersion = .standard, _ body: (TestServer) async throws -> R
    ) async throws -> R {
        let server = try await take(TestServer.Model(kind: kind, version: version))
        do {
            let result = try await body(server)
            await give(server)
            return result
        } catch {
            await give(server)
            throw error
        }
    }

    private func take(_ model: TestServer.Model) async throws -> TestServer {
        if let server = idle[model]?.popLast() { return server }
        if started[model, default: 0] < Self.size {
            started[model, default: 0] += 1
            do {
                return try await TestServer.start(model.kind, version: model.version)
            } catch {
                started[model, default: 0] -= 1
                throw error
            }
        }
        return await withCheckedContinuation { waiting[model, default: []].append($0) }
    }

    private func give(_ server: TestServer) {
        if let next = waiting[server.model]?.first {
            waiting[server.model]?.removeFirst()
            next.resume(returning: server)
        } else {
            idle[server.model, default: []].append(server)
        }
    }
}
