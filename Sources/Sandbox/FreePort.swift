internal import FoundationEssentials
internal import Glibc

/// Ports of loopback that servers can listen on.
package enum FreePort {
    /// One that nobody listens on just now; a moment later somebody may.
    ///
    /// The system lends ports of a range of its own to outgoing connections, and one of those would keep a server that
    /// is started again from its own port. So a port is chosen below that range, and of the range only in need.
    package static func any() -> Int? {
        let lent = lentRange
        for _ in 0..<100 where lent.lowerBound > lowest {
            let port = Int.random(in: lowest..<lent.lowerBound)
            if isFree(port) { return port }
        }
        return bound(0)
    }

    /// Whether nobody listens on a port, and no connection goes out from it.
    static func isFree(_ port: Int) -> Bool { bound(port) != nil }

    /// So many connections may wait to be taken.
    private static let backlog: Int32 = 16

    /// Lower ports belong to services of many kinds.
    private static let lowest = 20_000

    /// The ports that outgoing connections get, as ip(7) describes it; Linux's own range where it can't be read.
    private static var lentRange: ClosedRange<Int> {
        let text = try? String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)
        let ends = (text ?? "").split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard ends.count == 2, ends[0] <= ends[1] else { return 32_768...60_999 }
        return ends[0]...ends[1]
    }

    private static func bound(_ port: Int) -> Int? {
        guard let listener = listen(port) else { return nil }
        close(listener.descriptor)
        return listener.port
    }

    /// Listens on a port, or on any that is free, where it is 0; the caller closes the socket.
    package static func listen(_ port: Int = 0) -> (descriptor: Int32, port: Int)? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        // As the server does: what a server that has ended leaves behind for a minute is in nobody's way.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isDone = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && Glibc.listen(descriptor, backlog) == 0
                    && getsockname(descriptor, $0, &size) == 0
            }
        }
        guard isDone else {
            close(descriptor)
            return nil
        }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }
}
