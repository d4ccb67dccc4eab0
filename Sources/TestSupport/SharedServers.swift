/// The servers that all tests of this process share: at most one of each kind, each started once, even when many tests
/// ask for it at the same moment.
actor SharedServers {
    static let all = SharedServers()
    private var servers: [TestServer.Model: Task<TestServer, any Error>] = [:]

    func server(_ model: TestServer.Model) async throws -> TestServer {
        let starting = servers[model] ?? Task { try await TestServer.start(model.kind, version: model.version) }
        servers[model] = starting
        return try await starting.value
    }
}
