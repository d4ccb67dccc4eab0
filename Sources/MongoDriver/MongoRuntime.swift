internal import CMongoC
internal import Glibc
package import Logging
internal import Synchronization

/// libmongoc's process-wide state: its one-time start, and where its own log lines go.
package enum MongoRuntime {
    /// The logger that libmongoc's own messages go to; nil drops them.
    private static let logger = Mutex<Logger?>(nil)

    /// The threads whose messages are dropped for a moment.
    private static let silenced = Mutex<Set<pthread_t>>([])

    private static let started: Void = {
        // The default handler writes to standard output, which belongs to results alone.
        mongoc_log_set_handler(
            { level, domain, message, _ in
                let text = message.map { String(cString: $0) } ?? ""
                let origin = domain.map { String(cString: $0) } ?? "libmongoc"
                MongoRuntime.log(level, origin, text)
            }, nil)
        mongoc_init()
        forgetCounters()
    }()

    /// Starts libmongoc; calling it again does nothing.
    package static func start() { _ = started }

    /// Sends libmongoc's own messages to a logger from now on.
    package static func log(to logger: Logger) {
        start()
        self.logger.withLock { $0 = logger }
    }

    /// Frees libmongoc's process-wide state, for leak checkers. Nothing of this module may be used afterwards.
    package static func shutDown() { mongoc_cleanup() }

    /// Runs a closure in which libmongoc may find something wrong that is told otherwise.
    static func withoutLog<R>(_ body: () -> R) -> R {
        let thread = pthread_self()
        silenced.withLock { _ = $0.insert(thread) }
        defer { silenced.withLock { _ = $0.remove(thread) } }
        return body()
    }

    private static func log(_ level: mongoc_log_level_t, _ origin: String, _ text: String) {
        guard let logger = logger.withLock({ $0 }), !silenced.withLock({ $0.contains(pthread_self()) }) else { return }
        logger.log(level: severity(level), "\(Redaction.redact(text))", metadata: ["origin": "\(origin)"])
    }

    private static func severity(_ level: mongoc_log_level_t) -> Logger.Level {
        switch level {
        case MONGOC_LOG_LEVEL_ERROR, MONGOC_LOG_LEVEL_CRITICAL: .error
        case MONGOC_LOG_LEVEL_WARNING: .warning
        case MONGOC_LOG_LEVEL_MESSAGE, MONGOC_LOG_LEVEL_INFO: .info
        case MONGOC_LOG_LEVEL_DEBUG: .debug
        default: .trace
        }
    }
}
