import Glibc
import TestSupport

/// A port of 127.0.0.1 where connections are accepted and nothing is ever said.
final class SilentListener: Sendable {
    let port: Int
    private let descriptor: Int32

    init() throws {
        (descriptor, port) = try LoopbackPort.listen()
    }

    deinit { close(descriptor) }
}
