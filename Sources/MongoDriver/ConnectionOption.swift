/// What becomes of one option of a connection string
/// (https://www.mongodb.com/docs/manual/reference/connection-string-options/).
enum ConnectionOption {
    /// libmongoc obeys it.
    case obeyed
    /// libmongoc checks it, and then it is left out, because this driver sets the same for each command, and never less
    /// than is needed: its own write concern and the one of the string would meet in one command, which the server
    /// refuses.
    case replaced
    /// It is about what a driver does by itself, or how a language shows its values; nothing here depends on it.
    case ignored
    /// It can't be obeyed, and ignoring it would do something else than it asks for; the words say why.
    case refused(String)

    /// Finds what becomes of an option.
    ///
    /// - Parameters:
    ///   - name: Its name; upper and lower case are the same.
    ///   - value: Its value.
    /// - Returns: nil where no driver has such an option.
    init?(_ name: String, value: String) {
        let name = name.lowercased()
        if name == "loadbalanced" {
            self = value.lowercased() == "true" ? .refused("load balancers are not supported.") : .ignored
        } else if Self.obeyedNames.contains(name) {
            self = .obeyed
        } else if Self.replacedNames.contains(name) {
            self = .replaced
        } else if Self.ignoredNames.contains(name) {
            self = .ignored
        } else if let reason = Self.reasons[name] {
            self = .refused(reason)
        } else {
            return nil
        }
    }

    private static let obeyedNames: Set<String> = [
        "appname", "authmechanism", "authmechanismproperties", "authsource", "canonicalizehostname", "compressors",
        "connecttimeoutms", "directconnection", "gssapiservicename", "heartbeatfrequencyms", "localthresholdms",
        "maxidletimems", "maxpoolsize", "maxstalenessseconds", "readpreference", "readpreferencetags", "replicaset",
        "retryreads", "retrywrites", "serverselectiontimeoutms", "socketcheckintervalms", "sockettimeoutms",
        "srvmaxhosts", "srvservicename", "ssl", "sslallowinvalidcertificates", "sslallowinvalidhostnames",
        "sslcertificateauthorityfile", "sslclientcertificatekeyfile", "sslclientcertificatekeypassword", "tls",
        "tlsallowinvalidcertificates", "tlsallowinvalidhostnames", "tlscafile", "tlscertificatekeyfile",
        "tlscertificatekeyfilepassword", "tlsdisablecertificaterevocationcheck", "tlsdisableocspendpointcheck",
        "tlsinsecure", "waitqueuetimeoutms", "zlibcompressionlevel",
    ]

    /// `minPoolSize` belongs here: in libmongoc it is how many clients are kept, "its behavior does not match its name".
    private static let replacedNames: Set<String> = [
        "journal", "minpoolsize", "readconcernlevel", "safe", "serverselectiontryonce", "w",
        "waitqueuemultiple", "wtimeoutms",
    ]

    /// The options of other drivers, PyMongo's and Node's among them, whose strings people bring along.
    private static let ignoredNames: Set<String> = [
        "autoreconnect", "connect", "datetime_conversion", "enableutf8validation", "family", "forceserverobjectid",
        "fsync", "ignoreundefined", "j", "keepalive", "keepaliveinitialdelay", "maxconnecting", "maxlifetimems",
        "monitorcommands", "nodelay", "poolsize", "promotebuffers", "promotelongs", "promotevalues",
        "servermonitoringmode", "slaveok", "tz_aware", "unicode_decode_error_handler", "usenewurlparser",
        "useunifiedtopology",
        "uuidrepresentation", "wtimeout",
    ]

    private static let reasons: [String: String] = [
        "timeoutms": "it isn't supported; socketTimeoutMS bounds the wait for one answer.",
        "proxyhost": proxy, "proxyport": proxy, "proxyusername": proxy, "proxypassword": proxy,
        "tlscrlfile": revocation, "ssl_crlfile": revocation,
        "ssl_ca_certs": "write tlsCAFile.", "ssl_certfile": certificate, "ssl_keyfile": certificate,
        "ssl_cert_reqs": "write tlsAllowInvalidCertificates.", "ssl_match_hostname": "write tlsAllowInvalidHostnames.",
        "ssl_pem_passphrase": "write tlsCertificateKeyFilePassword.",
    ]

    private static let proxy = "proxies are not supported."
    private static let revocation = "lists of revoked certificates are not supported."
    private static let certificate = "write tlsCertificateKeyFile, with the certificate and its key in one file."
}
