/// A port of a service, as a compose file publishes it (https://docs.docker.com/reference/compose-file/services/#ports).
struct ComposePort: Equatable {
    /// Where a container's port is to be reached from this machine.
    enum Publication: Equatable {
        case at(address: String, port: Int)
        /// Docker chooses the port when the container starts.
        case unknown
    }

    /// The address of this machine that it is published at; nil for all.
    let address: String?
    /// The ports of this machine; nil where Docker chooses.
    let published: ClosedRange<Int>?
    /// The container's ports.
    let target: ClosedRange<Int>
    /// Whether it is a port of TCP: MongoDB speaks nothing else.
    let isTCP: Bool

    /// Reads the long form.
    init?(target: String, published: String?, address: String?, protocol name: String?) {
        let published = published ?? ""
        let name = name?.lowercased() ?? "tcp"
        guard let range = Self.range(target), ["tcp", "udp", "sctp"].contains(name),
            published.isEmpty || published == "0" || Self.range(published) != nil
        else { return nil }
        self.init(address, Self.range(published), range, isTCP: name == "tcp")
    }

    /// Reads the short form: `27017`, `27018:27017`, `127.0.0.1:27018:27017`, `[::1]:27018:27017`, ranges, `/tcp`.
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let ports = parts.first, let colon = ports.lastIndex(of: ":") else {
            guard let ports = parts.first else { return nil }
            self.init(target: ports, published: nil, address: nil, protocol: parts.dropFirst().first)
            return
        }
        let host = ports[..<colon]
        var (address, published) = ("", host)
        if let end = host.lastIndex(of: ":") {
            address = String(host[..<end]).filter { $0 != "[" && $0 != "]" }
            published = host[host.index(after: end)...]
        }
        self.init(
            target: String(ports[ports.index(after: colon)...]), published: String(published), address: address,
            protocol: parts.dropFirst().first)
    }

    private init(
        _ address: String?, _ published: ClosedRange<Int>?, _ target: ClosedRange<Int>, isTCP: Bool
    ) {
        (self.address, self.published, self.target, self.isTCP) = (address, published, target, isTCP)
    }

    /// Where one of the container's ports is published; nil where it isn't.
    func publication(of port: Int) -> Publication? {
        guard isTCP, target.contains(port) else { return nil }
        // Of a range for a single port Docker takes whichever is free.
        guard let published, published.count == target.count else { return .unknown }
        return .at(address: reachable, port: published.lowerBound + port - target.lowerBound)
    }

    /// Whether a port of this machine is one of those that are published.
    func isPublished(at port: Int) -> Bool { isTCP && published?.contains(port) == true }

    /// An address that reaches what is published at all of them, or at the one that is named.
    var reachable: String {
        guard let address, !["", "0.0.0.0", "::", "*"].contains(address) else { return "127.0.0.1" }
        return address
    }

    /// `27017`, or `27017-27019`.
    private static func range(_ text: String) -> ClosedRange<Int>? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Int($0) }
        let highest = 65_535
        guard numbers.count == parts.count, numbers.count <= 2, let first = numbers.first, let last = numbers.last,
            (1...highest).contains(first), (first...highest).contains(last)
        else { return nil }
        return first...last
    }
}
