package import BSON
internal import Glibc
internal import MongoDriver
internal import Synchronization

extension TestServer {
    private static let counter = Atomic(0)

    /// Runs a closure with a fresh database on this server, and drops the database afterwards, whatever happens.
    @discardableResult
    package func withDatabase<R: Sendable>(_ body: (TestDatabase) async throws -> R) async throws -> R {
        let number = Self.counter.wrappingAdd(1, ordering: .relaxed).newValue
        let name = "test_\(getpid())_\(number)"
        let database = TestDatabase(server: self, name: name, pool: try makePool(appName: name))
        defer { if !isRunning { KeptPools.keep(database.pool) } }
        do {
            let result = try await body(database)
            try await drop(name)
            return result
        } catch {
            // The test's own error says more; the server may be gone by the test's own doing.
            if isRunning { try? await drop(name) }
            throw error
        }
    }

    /// Makes a user.
    ///
    /// - Parameters:
    ///   - user: The user's name, unlike any other's.
    ///   - password: The user's password.
    ///   - roles: As `createUser` takes them: names, or documents with `role` and `db`.
    /// - Returns: The user's connection string.
    package func createUser(_ user: String, password: String, roles: BSONArray) async throws -> String {
        let command: BSONDocument = [
            "createUser": .string(user), "pwd": .string(password), "roles": .array(roles),
        ]
        _ = try await admin.withClient { try await $0.run(command, on: "admin") }
        return uri(user: user, password: password)
    }

    private func drop(_ name: String) async throws {
        guard isRunning else { return }
        _ = try await admin.withClient { try await $0.run(["dropDatabase": 1], on: name) }
    }
}
