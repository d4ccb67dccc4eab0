internal import CMongoC

extension MongoPool {
    /// The shortest time to look for a usable server, in milliseconds: after a connection broke, a server counts as gone
    /// until it has been asked again, which happens twice a second at most (`minHeartbeatFrequencyMS`). With less, a
    /// command would end in the middle over one lost packet.
    private static let shortestSelectionMS: Int32 = 2_000
    /// The shortest time for a connection, in milliseconds: it takes round trips, encryption and a password's hashing.
    private static let shortestConnectMS: Int32 = 1_000
    /// The shortest wait for an answer, in milliseconds: a write waits for the disks of a majority, which may be busy.
    private static let shortestAnswerMS: Int32 = 10_000
    /// The time for a connection where the string says none, or 0, libmongoc's own.
    static let defaultConnectMS: Int32 = 10_000

    /// Completes a URI by the options, and mends times that would break every command.
    ///
    /// A time of 0 means "for ever" to other drivers, and "not at all" to libmongoc; here it means the default.
    static func complete(_ uri: OpaquePointer, _ options: Options) throws(MongoError) {
        try checkPassword(uri)
        try TLSFiles.check(uri)
        let primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY)
        defer { mongoc_read_prefs_destroy(primary) }
        mongoc_uri_set_read_prefs_t(uri, primary)
        if mongoc_uri_get_appname(uri) == nil { mongoc_uri_set_appname(uri, options.appName) }
        set(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, options.serverSelectionTimeoutMS, atLeast: shortestSelectionMS)
        set(uri, MONGOC_URI_CONNECTTIMEOUTMS, defaultConnectMS, atLeast: shortestConnectMS)
        set(uri, MONGOC_URI_SOCKETTIMEOUTMS, options.socketTimeoutMS, atLeast: shortestAnswerMS)
        set(uri, MONGOC_URI_WAITQUEUETIMEOUTMS, options.waitQueueTimeoutMS, atLeast: 1)
        if let size = options.maxPoolSize { mongoc_uri_set_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE, size) }
    }

    private static func set(_ uri: OpaquePointer, _ option: String, _ value: Int32, atLeast shortest: Int32) {
        // "The special value 0 is considered as unset" (mongoc-uri.c).
        let wanted = mongoc_uri_get_option_as_int32(uri, option, 0)
        mongoc_uri_set_option_as_int32(uri, option, wanted > 0 ? max(wanted, shortest) : value)
    }

    /// libmongoc takes the length of a password that isn't there (`strlen (scram->pass)`, mongoc-scram.c) and crashes.
    private static func checkPassword(_ uri: OpaquePointer) throws(MongoError) {
        guard mongoc_uri_get_username(uri) != nil, mongoc_uri_get_password(uri) == nil else { return }
        let mechanism = mongoc_uri_get_auth_mechanism(uri).map { String(cString: $0).uppercased() }
        guard mechanism == nil || mechanism?.hasPrefix("SCRAM-") == true || mechanism == "PLAIN" else { return }
        throw MongoError(.connectionString, "The connection string names a user, but there is no password.")
    }
}
