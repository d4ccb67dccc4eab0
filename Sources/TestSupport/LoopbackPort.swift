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
        let (descriptor, port) = try bound()
        guard Glibc.listen(descriptor, 16) == 0 else {
            close(descriptor)
            throw TestSupportError("No port to listen on: \(String(cString: strerror(errno)))")
        }
        return (descriptor, port)
    }

    private static func bound() throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestSupportError("No socket: \(String(cString: strerror(errno)))") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard isBound else {
            close(descriptor)
            throw TestSupportError("No free port: \(String(cString: strerror(errno)))")
        }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }
}
