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
        do {
            let variables = EnvironmentVariablesProvider()
            let dotEnv = try await EnvironmentVariablesProvider(
                environmentFilePath: FilePath(options.envFile ?? ".env"), allowMissing: options.envFile == nil)
            environment = ConfigReader(providers: [variables, dotEnv])
        } catch {
            throw Failure(.configuration, "The file \(options.envFile ?? ".env") can't be read as variables.")
        }
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
            options.database ?? environment.string(forKey: "chat.admin.database")
            ?? (options.uri == nil ? nil : connection.database)
            ?? environment.string(forKey: "mongo.database.name") ?? connection.database
            ?? file.string(forKey: "database") ?? Self.defaultDatabase
        if let objection = DatabaseName.objection(to: name) { throw Failure(.configuration, objection) }
        return Target(connection: connection, database: name, warning: warning)
    }

    private func connectionString() throws -> ConnectionString {
        if let uri = options.uri { return try parse(uri, from: "--uri") }
        if let uri = environment.string(forKey: "chat.admin.uri", isSecret: true) {
            return try parse(uri, from: "CHAT_ADMIN_URI")
        }
        if let host = environment.string(forKey: "mongo.host"), !host.isEmpty { return try fromVariables(host) }
        if let uri = file.string(forKey: "uri", isSecret: true) {
            return try parse(uri, from: Self.configurationFile)
        }
        return try parse("mongodb://127.0.0.1:27017", from: "the default")
    }

    private func fromVariables(_ host: String) throws -> ConnectionString {
        let text = environment.string(forKey: "mongo.port", default: "27017")
        guard let port = Int(text), (1...65535).contains(port) else {
            throw Failure(.configuration, "MONGO_PORT is `\(text)`; it must be a number from 1 to 65535.")
        }
        do {
            return try ConnectionString(
                host: host, port: port, username: environment.string(forKey: "mongo.username"),
                password: environment.string(forKey: "mongo.password", isSecret: true))
        } catch {
            throw Failure(.configuration, "MONGO_HOST and its companions: \(error.message)")
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
            data =
                path == "-"
                ? FileHandle.standardInput.readDataToEndOfFile() : try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw Failure(.localIO, "The password file \(path) can't be read.")
        }
        let line = String(decoding: data, as: UTF8.self).prefix { !$0.isNewline }
        guard !line.isEmpty else { throw Failure(.configuration, "The password file \(path) has an empty first line.") }
        return String(line)
    }
}
