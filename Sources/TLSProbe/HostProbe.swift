internal import Glibc

/// Looks how far a connection to a server comes: what its name stands for, and whether something listens there. It blocks for
/// a few seconds at most.
package struct HostProbe {
    private let host: String
    private let port: UInt16

    /// Names a server.
    ///
    /// - Parameters:
    ///   - host: Its name or address.
    ///   - port: Its port.
    package init(host: String, port: UInt16) { (self.host, self.port) = (host, port) }

    /// Why there is no connection.
    package enum Failure: Error {
        /// The name stands for no address, with the system's words.
        case unknownName(String)
        /// No address takes a connection, with the system's words about the last one.
        case noConnection(String)
    }

    /// How long it waits for each address, in seconds.
    private static let patience = 3

    /// The addresses that the name stands for, each once, as text.
    package func addresses() -> Result<[String], Failure> {
        resolved { first in
            var addresses: [String] = []
            for address in sequence(first: first, next: { $0.pointee.ai_next }) {
                var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
                let isDone = getnameinfo(
                    address.pointee.ai_addr, address.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0,
                    NI_NUMERICHOST)
                guard isDone == 0 else { continue }
                let word = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
                if !addresses.contains(word) { addresses.append(word) }
            }
            return .success(addresses)
        }
    }

    /// Says why nothing listens; nil where something does.
    package func failure() -> Failure? {
        switch connect() {
        case .success(let descriptor):
            close(descriptor)
            return nil
        case .failure(let failure): return failure
        }
    }

    /// Connects to the first address that takes it.
    ///
    /// - Returns: The socket, to be closed by the caller; what is read from it or written to it waits for three seconds.
    func connect() -> Result<Int32, Failure> {
        resolved { first in
            var reason = ""
            for address in sequence(first: first, next: { $0.pointee.ai_next }) {
                if let descriptor = Self.connectedSocket(address.pointee) { return .success(descriptor) }
                // "EINPROGRESS": the time of SO_SNDTIMEO is over (socket(7)).
                reason = errno == EINPROGRESS ? "no answer in \(Self.patience) s" : String(cString: strerror(errno))
            }
            return .failure(.noConnection(reason))
        }
    }

    /// Says why nothing listens at a socket of this machine; nil where something does.
    ///
    /// - Parameter path: The socket's path.
    package static func failure(ofSocket path: String) -> Failure? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return .noConnection(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let size = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < size else { return .noConnection("its path is too long") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        return isConnected ? nil : .noConnection(String(cString: strerror(errno)))
    }

    private func resolved<R>(_ body: (UnsafeMutablePointer<addrinfo>) -> Result<R, Failure>) -> Result<R, Failure> {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &found)
        guard code == 0, let found else { return .failure(.unknownName(String(cString: gai_strerror(code)))) }
        defer { freeaddrinfo(found) }
        return body(found)
    }

    private static func connectedSocket(_ address: addrinfo) -> Int32? {
        let descriptor = socket(address.ai_family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var patience = timeval(tv_sec: patience, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        guard Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 else {
            let reason = errno
            close(descriptor)
            errno = reason
            return nil
        }
        return descriptor
    }
}
