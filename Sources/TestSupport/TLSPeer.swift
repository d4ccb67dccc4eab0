/// Something that shows a certificate to whoever connects, and knows nothing of MongoDB: for certificates that no `mongod`
/// would start with.
package final class TLSPeer: Sendable {
    /// Where it listens, on 127.0.0.1.
    package let port: Int
    private let process: SupervisedProcess

    /// Starts one and waits until it listens.
    package static func start(showing certificate: String) async throws -> TLSPeer {
        let port = try LoopbackPort.free()
        // As a web server it doesn't end when its standard input does.
        let command = [
            "/usr/bin/openssl", "s_server", "-accept", "127.0.0.1:\(port)", "-cert", certificate, "-key", certificate,
            "-www",
        ]
        let folder = try TestServer.makeFolder()
        let process = try await SupervisedProcess(command, folder: folder)
        try await waitUntil("openssl s_server listens") {
            guard process.isRunning else { throw TestSupportError("openssl s_server ended") }
            return PolledFile.text(folder + "/output")?.contains("ACCEPT") ?? false
        }
        return TLSPeer(port: port, process: process)
    }

    private init(port: Int, process: SupervisedProcess) {
        self.port = port
        self.process = process
    }

    /// Ends it.
    package func stop() async throws { try await process.end() }
}
