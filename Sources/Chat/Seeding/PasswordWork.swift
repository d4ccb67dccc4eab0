internal import FoundationEssentials

/// Hashes and verifies passwords: each combination once, however many users have it, for each takes a quarter of a second.
actor PasswordWork {
    private struct Question: Hashable {
        let password: String
        let hash: String
    }

    private struct Recipe: Hashable {
        let password: String
        let salt: [UInt8]
    }

    private var answers: [Question: Task<Bool, Never>] = [:]
    private var hashes: [Recipe: Task<String, any Error>] = [:]

    /// Hashes of the passwords that stand in this project anyway, as they come out unless another seed is given. To look
    /// them up takes no time; to make them takes longer than all else that `seed` does.
    static let known: [(password: String, hash: String)] = [
        ("alicepass123", "$2b$12$KpKlGy5pAcuffU3hjrGvV.v3BrgZp59XubbyXOPC0mlqSV6EGtXKq"),
        ("testpass123", "$2b$12$KaYA0LeFDWN7EuFnJMwwfu6uSSEa5vv8pFgxbHkG2loPdDy9JD04a"),
        ("demopass123", "$2b$12$9l./.8ORtVzKbINB6qMD1e1BUzhw2VQpdwEBQ7uMVaPzTn3c8DX1q"),
    ]

    /// How many are worth doing at once.
    static var width: Int { max(2, ProcessInfo.processInfo.activeProcessorCount) }

    /// Whether a hash was made from a password.
    func verify(_ password: String, _ hash: String) async -> Bool {
        if Self.known.contains(where: { $0 == (password, hash) }) { return true }
        let question = Question(password: password, hash: hash)
        let task = answers[question] ?? Task { await PasswordHash.verify(password, hash) }
        answers[question] = task
        return await task.value
    }

    /// The hash of a password.
    ///
    /// - Throws: ``PasswordHash/Failure``.
    func hash(_ password: String, salt: [UInt8]) async throws -> String {
        let beginning = try PasswordHash.setting(salt)
        if let known = Self.known.first(where: { $0.password == password && $0.hash.hasPrefix(beginning) }) {
            return known.hash
        }
        let recipe = Recipe(password: password, salt: salt)
        let task = hashes[recipe] ?? Task { try await PasswordHash.make(password, salt: salt) }
        hashes[recipe] = task
        return try await task.value
    }
}

extension Sequence where Element: Sendable {
    /// `map` by several at once; the results are in order.
    func mapTogether<R: Sendable>(
        _ width: Int = PasswordWork.width, _ transform: @escaping @Sendable (Element) async throws -> R
    ) async throws -> [R] {
        try await withThrowingTaskGroup(of: (Int, R).self) { group in
            var results: [(Int, R)] = []
            for (index, element) in enumerated() {
                if index >= width, let result = try await group.next() { results.append(result) }
                group.addTask { (index, try await transform(element)) }
            }
            for try await result in group { results.append(result) }
            return results.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}
