internal import CMongoC

extension ConnectionString {
    /// A connection string, split where its options begin.
    struct Parts {
        /// Everything in front of the options, their `?` included where there are any.
        private let front: Substring
        /// The options, as they are written.
        private let options: [Substring]

        /// Splits a text that may be a connection string. Other drivers take options right behind the hosts, libmongoc
        /// behind a `/` alone: it is added.
        init(_ text: String) {
            let start = text.firstRange(of: "://")?.upperBound ?? text.startIndex
            let rest = text[start...]
            // Credentials may hold a `?`, as they may hold anything but `@` and `/`.
            let hosts = rest.utf8.lastIndex(of: UInt8(ascii: "@")) ?? start
            let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/"))
            guard let mark = text[(slash ?? hosts)...].utf8.firstIndex(of: UInt8(ascii: "?")) else {
                (front, options) = (text[...], [])
                return
            }
            front = text[..<mark] + (slash == nil ? "/?" : "?")
            options = text[text.index(after: mark)...].split(separator: "&")
        }

        /// The text without the options that don't pass.
        func text(keeping isKept: (ConnectionOption) -> Bool) throws(MongoError) -> String {
            var kept: [Substring] = []
            for option in options {
                if let meaning = try Self.meaning(of: option), !isKept(meaning) { continue }
                kept.append(option)
            }
            return front + kept.joined(separator: "&")
        }

        /// The value of an option as it is written, such as `rs0`; nil where the string hasn't got it.
        ///
        /// - Parameter name: The option's name in lower case.
        func value(of name: String) -> String? {
            options.first { Self.name(of: $0) == name }.map { String($0.drop { $0 != "=" }.dropFirst()) }
        }

        /// The options but for some.
        ///
        /// - Parameter names: Their names in lower case.
        func options(without names: Set<String>) -> [String] {
            options.filter { !names.contains(Self.name(of: $0)) }.map(String.init)
        }

        private static func name(of option: Substring) -> String { option.prefix { $0 != "=" }.lowercased() }

        /// What becomes of an option; nil for one that libmongoc is to refuse.
        private static func meaning(of option: Substring) throws(MongoError) -> ConnectionOption? {
            guard let equals = option.firstIndex(of: "=") else { return nil }
            let name = String(option[..<equals])
            guard let meaning = ConnectionOption(name, value: String(option[option.index(after: equals)...])) else {
                // What isn't a word may be a part of a password that nobody encoded.
                let shown = name.count <= 40 && name.allSatisfy { $0.isASCII && $0.isLetter } ? " '\(name)'" : ""
                throw MongoError(.connectionString, "The connection string has an option\(shown) that no driver knows.")
            }
            guard case .refused(let reason) = meaning else { return meaning }
            throw MongoError(.connectionString, "The connection string's option \(name) can't be used: \(reason)")
        }
    }

    /// Refuses what libmongoc takes, and what then fails at every read, or gives a password away.
    static func check(_ uri: OpaquePointer) throws(MongoError) {
        try checkMechanism(uri)
        let preferences = mongoc_uri_get_read_prefs_t(uri)
        let staleness = mongoc_read_prefs_get_max_staleness_seconds(preferences)
        guard staleness > 0 else { return }
        // "maxStalenessSeconds MUST be at least 90", and at least the heartbeat and what an idle primary writes every
        // 10 s: https://github.com/mongodb/specifications/blob/master/source/max-staleness
        let heartbeat = mongoc_uri_get_option_as_int32(uri, MONGOC_URI_HEARTBEATFREQUENCYMS, 10_000)
        let least = max(90, Int64(heartbeat / 1000) + 10)
        guard staleness < least else { return }
        throw MongoError(.connectionString, "The connection string's maxStalenessSeconds must be at least \(least).")
    }

    private static func checkMechanism(_ uri: OpaquePointer) throws(MongoError) {
        guard let name = mongoc_uri_get_auth_mechanism(uri) else { return }
        let hasTLS = mongoc_uri_get_tls(uri)
        switch String(cString: name).uppercased() {
        case "SCRAM-SHA-1", "SCRAM-SHA-256", "GSSAPI", "MONGODB-AWS": return
        case "PLAIN":
            guard !hasTLS else { return }
            throw MongoError(
                .connectionString,
                "authMechanism=PLAIN sends the password as it is: the connection string must say tls=true too.")
        case "MONGODB-X509":
            guard !hasTLS || !mongoc_uri_has_option(uri, MONGOC_URI_TLSCERTIFICATEKEYFILE) else { return }
            throw MongoError(
                .connectionString,
                "authMechanism=MONGODB-X509 needs tls=true, and a certificate in tlsCertificateKeyFile.")
        default:
            throw MongoError(
                .connectionString,
                "The connection string's authMechanism isn't supported. Supported are SCRAM-SHA-1, SCRAM-SHA-256, "
                    + "PLAIN with TLS, MONGODB-X509, GSSAPI and MONGODB-AWS.")
        }
    }
}
