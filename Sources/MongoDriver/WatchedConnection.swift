internal import CMongoC
internal import FoundationEssentials
internal import Glibc
internal import Synchronization

/// A connection of libmongoc's, held by a descriptor of our own.
///
/// The descriptor is a duplicate: libmongoc may close its own at any time, and the number may then mean another file.
/// Shutting the duplicate down ends the connection itself, whichever descriptor waits for it, and does nothing to one
/// that has ended.
final class WatchedConnection: Sendable {
    /// The server, as host and port.
    let host: String
    /// When it was made.
    let made = ContinuousClock.now
    private let descriptor: Int32

    /// How long sent data may stay unacknowledged before the kernel gives a connection up, in milliseconds. Without it
    /// that takes a quarter of an hour where packets are dropped without a word (tcp(7)).
    private static let unacknowledgedMS: UInt32 = 30_000

    /// Finds the descriptor of a stream and duplicates it; nil where there is none, as in a stream without a socket.
    init?(_ stream: UnsafeMutablePointer<mongoc_stream_t>, host: String) {
        var base = stream
        while let inner = base.pointee.get_base_stream?(base), inner != base { base = inner }
        var patience = Self.unacknowledgedMS
        // Sockets that aren't TCP's refuse this, and need none of it.
        mongoc_stream_setsockopt(
            base, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &patience, socklen_t(MemoryLayout<UInt32>.size))
        guard let found = Self.descriptor(of: base) else { return nil }
        descriptor = fcntl(found, F_DUPFD_CLOEXEC, 0)
        guard descriptor >= 0 else { return nil }
        self.host = host
    }

    deinit { close(descriptor) }

    /// Ends the connection for both sides: whoever waits for it is told so.
    func breakOff() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Whether the connection has been shut down here; libmongoc shuts down what it closes.
    var isOver: Bool { has(POLLHUP | POLLNVAL) }

    /// Whether the connection has been shut down here or by the server, or the server's machine has said that there is none.
    var isBroken: Bool { has(POLLHUP | POLLNVAL | POLLERR | Self.farEndIsShut) }

    /// `POLLRDHUP` (poll(2)), which is declared for programs of `_GNU_SOURCE` alone.
    private static let farEndIsShut: Int32 = 0x2000

    private func has(_ events: Int32) -> Bool {
        var state = pollfd(fd: descriptor, events: Int16(events & Self.farEndIsShut), revents: 0)
        return poll(&state, 1, 0) > 0 && state.revents & Int16(events) != 0
    }

    /// The time that the next socket is marked by, in seconds: far from any that somebody would set.
    private static let nextMark = Atomic(1_000_000)

    /// libmongoc doesn't tell a socket's descriptor. It sets options, though: the socket is marked by a time to wait for
    /// room to send, which means nothing to a socket that never blocks, as libmongoc's (`O_NONBLOCK`, socket(7)).
    private static func descriptor(of stream: UnsafeMutablePointer<mongoc_stream_t>) -> Int32? {
        var mark = timeval(tv_sec: nextMark.add(1, ordering: .relaxed).newValue, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        guard mongoc_stream_setsockopt(stream, SOL_SOCKET, SO_SNDTIMEO, &mark, size) == 0 else { return nil }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { Int32($0) }.first { candidate in
            var found = timeval()
            var length = size
            return getsockopt(candidate, SOL_SOCKET, SO_SNDTIMEO, &found, &length) == 0 && found.tv_sec == mark.tv_sec
        }
    }
}
