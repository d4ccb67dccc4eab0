internal import Glibc
internal import Sandbox

/// Ports of 127.0.0.1.
package enum LoopbackPort {
    /// A port that nobody listened on a moment ago.
    package static func free() throws -> Int {
        guard let port = FreePort.any() else { throw TestSupportError("No free port") }
        return port
    }

    /// Listens on a port that was free; the caller closes the socket.
    package static func listen() throws -> (descriptor: Int32, port: Int) {
        guard let listener = FreePort.listen() else {
            throw TestSupportError("No port to listen on: \(String(cString: strerror(errno)))")
        }
        return listener
    }
}
