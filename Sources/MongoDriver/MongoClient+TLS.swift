internal import CMongoC
internal import TLSProbe

extension MongoClient {
    /// The servers that are looked at: one that shows what is wrong is enough.
    private static let mostProbes = 3

    /// Looks for what is wrong with TLS when no server could be reached; nil where nothing was found.
    func tlsFinding() -> String? {
        guard let client = try? client(), let uri = mongoc_client_get_uri(client) else { return nil }
        let text = { (option: String) in
            mongoc_uri_get_option_as_utf8(uri, option, nil).map { String(cString: $0) }
        }
        // libmongoc's list of servers leaves those out that it never reached.
        var next = mongoc_uri_get_hosts(uri)
        for _ in 0..<Self.mostProbes {
            guard let host = next else { break }
            next = UnsafePointer(host.pointee.next)
            guard host.pointee.family != AF_UNIX else { continue }
            let name = withUnsafeBytes(of: host.pointee.host) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            let probe = TLSProbe(
                host: name, port: host.pointee.port, isWanted: mongoc_uri_get_tls(uri),
                authorities: text(MONGOC_URI_TLSCAFILE), certificate: text(MONGOC_URI_TLSCERTIFICATEKEYFILE),
                password: text(MONGOC_URI_TLSCERTIFICATEKEYFILEPASSWORD))
            if let finding = probe.finding() { return finding }
        }
        return nil
    }
}
