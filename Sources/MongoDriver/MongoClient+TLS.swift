internal import CMongoC
internal import TLSProbe

/// What can be seen of one host of a connection string, without MongoDB's own protocol.
package struct HostReport: Sendable {
    /// The host, as `host:port`, or the path of a socket.
    package let name: String
    /// The addresses that its name stands for.
    package let addresses: [String]
    /// Why nothing can be said to it, as a sentence; nil where nothing stands in the way.
    package let failure: String?
    /// For how many whole days its certificate is still valid; nil without TLS.
    package let daysLeft: Int?
}

extension MongoClient {
    /// The servers that are looked at: one that shows what is wrong is enough.
    private static let mostProbes = 3

    /// Looks for what is wrong with TLS when no server could be reached; nil where nothing was found.
    func tlsFinding() -> String? {
        for host in hosts().prefix(Self.mostProbes) {
            if let finding = host.tls?.report().finding { return finding }
        }
        return nil
    }

    /// Looks at each host of the connection string, or that DNS names for it: its name, whether something listens, and its
    /// certificate. It takes a few seconds for each that doesn't answer.
    package func hostReports() -> [HostReport] {
        hosts().map { host in
            guard let tls = host.tls else {
                let failure = HostProbe.failure(ofSocket: host.name).map(host.words)
                return HostReport(name: host.name, addresses: [host.name], failure: failure, daysLeft: nil)
            }
            let addresses: [String]
            switch host.probe.addresses() {
            case .success(let found): addresses = found
            case .failure(let failure):
                return HostReport(name: host.name, addresses: [], failure: host.words(failure), daysLeft: nil)
            }
            if let failure = host.probe.failure() {
                return HostReport(name: host.name, addresses: addresses, failure: host.words(failure), daysLeft: nil)
            }
            let report = tls.report()
            return HostReport(
                name: host.name, addresses: addresses, failure: host.isLenient ? nil : report.finding,
                daysLeft: report.daysLeft)
        }
    }

    /// One host of the connection string.
    private struct Host {
        let name: String
        let probe: HostProbe
        /// nil for a socket of this machine.
        let tls: TLSProbe?
        /// Whether the connection string takes a certificate with which something is wrong.
        let isLenient: Bool

        func words(_ failure: HostProbe.Failure) -> String {
            switch failure {
            case .unknownName(let reason): "The name of \(name) isn't known here (\(reason))."
            case .noConnection(let reason): "Nothing answers at \(name) (\(reason))."
            }
        }
    }

    private func hosts() -> [Host] {
        guard let client = try? client(), let uri = mongoc_client_get_uri(client) else { return [] }
        let text = { (option: String) in
            mongoc_uri_get_option_as_utf8(uri, option, nil).map { String(cString: $0) }
        }
        let leniencies = [
            MONGOC_URI_TLSINSECURE, MONGOC_URI_TLSALLOWINVALIDCERTIFICATES, MONGOC_URI_TLSALLOWINVALIDHOSTNAMES,
        ]
        let isLenient = leniencies.contains { mongoc_uri_get_option_as_bool(uri, $0, false) }
        var hosts: [Host] = []
        // libmongoc's list of servers leaves those out that it never reached.
        var next = mongoc_uri_get_hosts(uri)
        while let host = next {
            next = UnsafePointer(host.pointee.next)
            let isSocket = host.pointee.family == AF_UNIX
            let name = withUnsafeBytes(of: host.pointee.host) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            let tls = TLSProbe(
                host: name, port: host.pointee.port, isWanted: mongoc_uri_get_tls(uri),
                authorities: text(MONGOC_URI_TLSCAFILE), certificate: text(MONGOC_URI_TLSCERTIFICATEKEYFILE),
                password: text(MONGOC_URI_TLSCERTIFICATEKEYFILEPASSWORD))
            hosts.append(
                Host(
                    name: isSocket ? name : host.pointee.name, probe: HostProbe(host: name, port: host.pointee.port),
                    tls: isSocket ? nil : tls, isLenient: isLenient))
        }
        return hosts
    }
}
