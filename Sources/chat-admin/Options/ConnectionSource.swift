internal import Chat
internal import Configuration
internal import Foundation
internal import MongoDriver
internal import SystemPackage

/// Finds out which server and database are meant: the strongest source that says so.
///
/// Options; `CHAT_ADMIN_URI` and `CHAT_ADMIN_DATABASE`; the application's own variables, from the environment or its
/// `.env`; `chat-admin.yaml`; `mongodb://127.0.0.1:27017`.
struct ConnectionSource {
    /// The server and the database that were found.
    struct Target {
        let connection: ConnectionString
        let database: String
        /// A remark for the user, such as a password in a place where others see it.
        let warning: String?
    }

    private static let defaultDatabase = "chat"
    private static let configurationFile = "chat-admin.yaml"

    private let options: GlobalOptions
    private let environment: ConfigReader
    private let file: ConfigReader

    /// Reads the sources.
    ///
    /// - Throws: ``Failure`` when a file that was asked for can't be read.
    init(_ options: GlobalOptions) async throws {
        self.options = options
        var variables = try Self.dotEnv(options.envFile)
        variables.merge(ProcessInfo.processInfo.environment) { _, environment in environment }
        environment = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: variables))
        do {
            file = ConfigReader(
                provider: try await FileProvider<YAMLSnapshot>(
                    filePath: FilePath(Self.configurationFile), allowMissing: true))
        } catch {
            throw Failure(.configuration, "\(Self.configurationFile) can't be read as YAML.")
        }
    }

    /// Decides.
    ///
    /// - Throws: ``Failure``.
    func target() throws -> Target {
        var connection = try connectionString()
        var warning: String?
        if options.uri != nil, connection.hasPassword {
            warning =
                "The password in --uri can be seen by other users of this machine; "
                + "use CHAT_ADMIN_URI or --password-file."
        }
        if let file = options.passwordFile {
            let password = try Self.readPassword(file)
            do {
                connection = try connection.with(password: password)
            } catch {
                throw Failure(.configuration, error.message)
            }
        }
        let name =
            options.database ?? (options.uri == nil ? nil : connection.database)
            ?? text("chat.admin.database") ?? (uriVariable == nil ? nil : connection.database)
            ?? text("mongo.database.name") ?? file.string(forKey: "database") ?? connection.database
            ?? Self.defaultDatabase
        if let objection = DatabaseName.objection(to: name) { throw Failure(.configuration, objection) }
        return Target(connection: connection, database: name, warning: warning)
    }

    private var uriVariable: String? { text("chat.admin.uri", isSecret: true) }

    /// A variable; an empty one is as good as none.
    private func text(_ key: ConfigKey, isSecret: Bool = false) -> String? {
        environment.string(forKey: key, isSecret: isSecret).flatMap { $0.isEmpty ? nil : $0 }
    }

    private func connectionString() throws -> ConnectionString {
        if let uri = options.uri { return try parse(uri, from: "--uri") }
        if let uri = uriVariable { return try parse(uri, from: "CHAT_ADMIN_URI") }
        if text("mongo.host") != nil || text("mongo.port") != nil || text("mongo.username") != nil {
            return try fromVariables()
        }
        if let uri = file.string(forKey: "uri", isSecret: true) {
            return try parse(uri, from: Self.configurationFile)
        }
        return try parse("mongodb://127.0.0.1:27017", from: "the default")
    }

    /// The application's own variables; what isn't said is as the application's defaults have it.
    private func fromVariables() throws -> ConnectionString {
        let host = text("mongo.host") ?? "127.0.0.1"
        guard let port = Int(text("mongo.port") ?? "27017"), (1...65535).contains(port) else {
            throw Failure(.configuration, "MONGO_PORT must be a number from 1 to 65535.")
        }
        guard host.split(separator: ":", omittingEmptySubsequences: false).count != 2 else {
            throw Failure(.configuration, "MONGO_HOST holds a port; put it into MONGO_PORT.")
        }
        let username = text("mongo.username")
        let password = text("mongo.password", isSecret: true)
        guard username == nil || password != nil || options.passwordFile != nil else {
            throw Failure(.configuration, "MONGO_USERNAME is set, but there is no MONGO_PASSWORD.")
        }
        do {
            return try ConnectionString(host: host, port: port, username: username, password: password)
        } catch {
            throw Failure(.configuration, "MONGO_HOST and its companions: \(error.message)")
        }
    }

    /// The variables of the application's file; without a name, of `.env` if it is there.
    private static func dotEnv(_ path: String?) throws -> [String: String] {
        guard path != nil || FileManager.default.fileExists(atPath: ".env") else { return [:] }
        let name = path ?? ".env"
        do {
            return DotEnv.parse(String(decoding: try InputFile.read(name), as: UTF8.self))
        } catch {
            throw Failure(.configuration, "The file \(name) can't be read: \(error).")
        }
    }

    private func parse(_ text: String, from source: String) throws -> ConnectionString {
        do {
            return try ConnectionString(text)
        } catch {
            throw Failure(.configuration, "\(source): \(error.message)")
        }
    }

    private static func readPassword(_ path: String) throws -> String {
        let data: Data
        do {
            data = try InputFile.read(path)
        } catch {
            throw Failure(.localIO, "The password file \(path) can't be read: \(error).")
        }
        let line = String(decoding: data, as: UTF8.self).prefix { !$0.isNewline }
        guard !line.isEmpty else { throw Failure(.configuration, "The password file \(path) has an empty first line.") }
        return String(line)
    }
}
