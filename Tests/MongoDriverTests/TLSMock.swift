import Foundation
import TestSupport

/// A mock that shows a certificate to whoever connects, and knows nothing of MongoDB: no `mongod` starts with a
/// certificate that has expired.
final class TLSMock {
    let port: Int
    private let process = Process()

    /// Starts `openssl s_server` and waits until it listens.
    init(showing certificate: String, _ arguments: [String] = []) async throws {
        port = try LoopbackPort.free()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments =
            ["s_server", "-accept", "127.0.0.1:\(port)", "-cert", certificate, "-key", certificate, "-quiet"]
            + arguments
        // It ends when its standard input does, and so with this process.
        process.standardInput = Pipe()
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let listening = String(format: "0100007F:%04X", port)
        try await waitUntil("openssl s_server listens") {
            try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8).contains("\(listening) 00000000:0000 0A")
        }
    }

    deinit { process.terminate() }
}
