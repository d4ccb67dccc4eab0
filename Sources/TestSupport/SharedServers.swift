/// The servers that all tests of this process share: at most one of each kind, each started once, even when many tests
/// ask for it at the same moment.
actor SharedServers {
    static let all = SharedServers()
    private var servers: [TestServer.Kind: Task<TestServer, any Error>] = [:]

    func server(_ kind: TestServer.Kind) async throws -> TestServer {
        let starting = servers[kind] ?? Task { try await TestServer.start(kind) }
        servers[kind] = starting
        return try await starting.value
    }
}
