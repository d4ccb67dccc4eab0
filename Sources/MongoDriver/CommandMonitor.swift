internal import CMongoC
internal import Logging

/// Writes a line for every command that the driver sends: its name, server, duration and outcome, never its contents,
/// which hold messages and password hashes. Tells a ``LivenessWatch`` which servers answer.
final class CommandMonitor: Sendable {
    private let logger: Logger
    private let watch: LivenessWatch

    /// - Parameter watch: What is told of the servers that answer, and of those that don't.
    init(logger: Logger, watch: LivenessWatch) {
        self.logger = logger
        self.watch = watch
    }

    /// Registers with a pool that hasn't lent a client yet. The pool must be destroyed before this object is released:
    /// libmongoc keeps an unretained pointer to it.
    func register(with pool: OpaquePointer) {
        guard let callbacks = mongoc_apm_callbacks_new() else { return }
        defer { mongoc_apm_callbacks_destroy(callbacks) }
        mongoc_apm_set_command_started_cb(callbacks) { event in
            guard let event, let monitor = CommandMonitor.from(mongoc_apm_command_started_get_context(event)) else {
                return
            }
            monitor.logger.trace("command started", metadata: ["command": "\(CommandMonitor.startedName(event))"])
        }
        mongoc_apm_set_command_succeeded_cb(callbacks) { event in
            guard let event, let monitor = CommandMonitor.from(mongoc_apm_command_succeeded_get_context(event)) else {
                return
            }
            let name = mongoc_apm_command_succeeded_get_command_name(event).map { String(cString: $0) } ?? ""
            let duration = mongoc_apm_command_succeeded_get_duration(event)
            monitor.logger.debug("command succeeded", metadata: ["command": "\(name)", "us": "\(duration)"])
        }
        mongoc_apm_set_command_failed_cb(callbacks) { event in
            guard let event, let monitor = CommandMonitor.from(mongoc_apm_command_failed_get_context(event)) else {
                return
            }
            monitor.failed(event)
        }
        registerHeartbeats(callbacks)
        mongoc_client_pool_set_apm_callbacks(pool, callbacks, Unmanaged.passUnretained(self).toOpaque())
    }

    private func registerHeartbeats(_ callbacks: OpaquePointer) {
        mongoc_apm_set_server_heartbeat_succeeded_cb(callbacks) { event in
            guard let event, let host = mongoc_apm_server_heartbeat_succeeded_get_host(event) else { return }
            CommandMonitor.from(mongoc_apm_server_heartbeat_succeeded_get_context(event))?.watch
                .answered(host.pointee.name)
        }
        mongoc_apm_set_server_heartbeat_failed_cb(callbacks) { event in
            guard let event, let host = mongoc_apm_server_heartbeat_failed_get_host(event) else { return }
            var error = bson_error_t()
            mongoc_apm_server_heartbeat_failed_get_error(event, &error)
            // A question that was called off fails without an error, and a server that refuses it does answer.
            guard error.domain == MONGOC_ERROR_STREAM.rawValue else { return }
            CommandMonitor.from(mongoc_apm_server_heartbeat_failed_get_context(event))?.watch
                .wasSilent(host.pointee.name)
        }
    }

    private func failed(_ event: OpaquePointer) {
        var error = bson_error_t()
        mongoc_apm_command_failed_get_error(event, &error)
        let name = mongoc_apm_command_failed_get_command_name(event).map { String(cString: $0) } ?? ""
        logger.debug(
            "command failed",
            metadata: [
                "command": "\(name)", "code": "\(error.code)",
                "us": "\(mongoc_apm_command_failed_get_duration(event))",
            ])
    }

    private static func startedName(_ event: OpaquePointer) -> String {
        let name = mongoc_apm_command_started_get_command_name(event).map { String(cString: $0) } ?? ""
        let database = mongoc_apm_command_started_get_database_name(event).map { String(cString: $0) } ?? ""
        return "\(database).\(name)"
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> CommandMonitor? {
        context.map { Unmanaged<CommandMonitor>.fromOpaque($0).takeUnretainedValue() }
    }
}
