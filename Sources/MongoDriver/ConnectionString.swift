internal import BSON
internal import CMongoC

/// A MongoDB connection string, checked here and by libmongoc, whose printed form never shows a password.
///
/// The text itself can't be read back: ``description`` names user, hosts and database only, so that a connection
/// string that is printed, logged or stored by mistake gives nothing away.
package struct ConnectionString: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The hosts, as `host:port`, or the path of a socket.
    package let hosts: [String]
    /// The database named in the path, if any.
    package let database: String?
    /// The user's name, if any.
    package let username: String?
    /// The name the client gives itself, if the string sets one.
    package let appName: String?
    /// Which members it lets answer reads: `primary` where it says nothing.
    ///
    /// A connection reads from the primary all the same, unless a read is told otherwise: what is about to be changed must
    /// not be read from a member that lags behind.
    package let readPreference: ReadPreference
    /// The sets of tags that a member must have to answer a read that isn't for the primary alone, as
    /// `readPreferenceTags` gives them: an array's document.
    let readTags: BSONDocument?
    /// How far a member may lag behind to answer such a read, in seconds; -1 means however far.
    let maxStalenessSeconds: Int64
    /// The string without the options that libmongoc isn't to see (``ConnectionOption``).
    let text: String

    /// Checks a connection string.
    ///
    /// - Parameter text: `mongodb://…` or `mongodb+srv://…`.
    /// - Throws: ``MongoError`` of kind `connectionString`, whose words never repeat the text's credentials.
    package init(_ text: String) throws(MongoError) {
        MongoRuntime.start()
        guard !text.utf8.contains(0) else {
            throw MongoError(.connectionString, "The connection string contains a NUL character.")
        }
        try Self.checkCredentials(text)
        let parts = Parts(text)
        let known = try parts.text { if case .ignored = $0 { false } else { true } }
        var error = bson_error_t()
        guard let uri = mongoc_uri_new_with_error(known, &error) else {
            let reason = Redaction.withoutQuotations(error.text)
            throw MongoError(.connectionString, "The connection string can't be used: \(reason)")
        }
        defer { mongoc_uri_destroy(uri) }
        try Self.check(uri)
        self.text = try parts.text { if case .obeyed = $0 { true } else { false } }
        hosts = Self.hosts(of: uri)
        database = Self.string(mongoc_uri_get_database(uri))
        username = Self.string(mongoc_uri_get_username(uri))
        hasPassword = Self.string(mongoc_uri_get_password(uri)) != nil
        appName = Self.string(mongoc_uri_get_appname(uri))
        let preferences = mongoc_uri_get_read_prefs_t(uri)
        readPreference = ReadPreference(mongoc_read_prefs_get_mode(preferences))
        readTags = try mongoc_read_prefs_get_tags(preferences).map { (tags) throws(MongoError) in try copyDocument(tags)
        }
        maxStalenessSeconds = mongoc_read_prefs_get_max_staleness_seconds(preferences)
    }

    /// Builds a connection string from its parts, as the chat application's own variables name them.
    ///
    /// - Parameters:
    ///   - host: The server's name or address.
    ///   - port: The server's port, 1 to 65535.
    ///   - username: The user, or nil for no authentication; it is looked up in `authSource`.
    ///   - password: The user's password.
    ///   - authSource: The database that knows the user.
    /// - Throws: ``MongoError`` of kind `connectionString`.
    package init(
        host: String, port: Int, username: String?, password: String?, authSource: String = "admin"
    ) throws(MongoError) {
        let address = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]:\(port)" : "\(host):\(port)"
        guard let username, !username.isEmpty else {
            try self.init("mongodb://\(address)/")
            return
        }
        let credentials = Self.percentEncoded(username) + ":" + Self.percentEncoded(password ?? "")
        try self.init("mongodb://\(credentials)@\(address)/?authSource=\(Self.percentEncoded(authSource))")
    }

    /// Whether the string carries a password.
    package let hasPassword: Bool

    /// The same connection with another password, such as one read from a file.
    ///
    /// - Throws: ``MongoError`` of kind `connectionString` when the string names no user.
    package func with(password: String) throws(MongoError) -> ConnectionString {
        guard let scheme = text.firstRange(of: "://"), username != nil,
            let end = text[scheme.upperBound...].firstIndex(of: "@")
        else {
            throw MongoError(.connectionString, "A password was given, but the connection string names no user.")
        }
        let user = text[scheme.upperBound..<end].prefix { $0 != ":" }
        return try ConnectionString(
            "\(text[..<scheme.upperBound])\(user):\(Self.percentEncoded(password))\(text[end...])")
    }

    /// Scheme, user, hosts and database, without password and options.
    package var description: String {
        let user = username.map { "\($0)@" } ?? ""
        return "mongodb://\(user)\(hosts.joined(separator: ","))/\(database ?? "")"
    }

    /// The same as ``description``: debugging output must not show passwords either.
    package var debugDescription: String { description }

    /// No children: reflection must not show passwords either.
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// Whether every host is this machine itself: 127.0.0.0/8, `::1`, `localhost`, or a socket.
    package var isLoopback: Bool {
        !hosts.isEmpty && hosts.allSatisfy(Self.isLoopback)
    }

    /// Whether a host, with or without a port, is this machine itself.
    package static func isLoopback(_ host: String) -> Bool {
        let name = host.hasPrefix("[") ? String(host.dropFirst().prefix { $0 != "]" }) : name(of: host)
        return name == "localhost" || name == "::1" || isLoopbackIPv4(name) || name.hasPrefix("/")
    }

    /// Whether a name is an address of 127.0.0.0/8, and not only begins like one, as `127.example.net` does.
    private static func isLoopbackIPv4(_ name: String) -> Bool {
        let numbers = name.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return numbers.count == 4 && numbers.first == 127 && !numbers.contains(nil)
    }

    /// Hands libmongoc a URI of its own, destroyed afterwards.
    func withURI<R>(_ body: (OpaquePointer) throws(MongoError) -> R) throws(MongoError) -> R {
        guard let uri = mongoc_uri_new(text) else {
            throw MongoError(.connectionString, "The connection string can't be used.")
        }
        defer { mongoc_uri_destroy(uri) }
        return try body(uri)
    }

    private static func name(of host: String) -> String {
        host.hasPrefix("/") ? host : String(host.prefix { $0 != ":" })
    }

    private static func string(_ pointer: UnsafePointer<CChar>?) -> String? {
        pointer.map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func hosts(of uri: OpaquePointer) -> [String] {
        if let service = string(mongoc_uri_get_srv_hostname(uri)) { return [service] }
        var hosts: [String] = []
        var next = mongoc_uri_get_hosts(uri)
        while let host = next {
            hosts.append(host.pointee.name)
            next = UnsafePointer(host.pointee.next)
        }
        return hosts
    }

    /// Percent-encodes everything but RFC 3986's unreserved characters, as the connection string's format asks for
    /// in credentials.
    private static func percentEncoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.append(Character(UnicodeScalar(byte)))
            default:
                result.append("%")
                result.append(digits[Int(byte >> 4)])
                result.append(digits[Int(byte & 15)])
            }
        }
    }
}
