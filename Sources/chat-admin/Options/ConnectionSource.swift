internal import InputFiles
internal import MongoDriver

/// Finds out which server and database are meant: the strongest source that says so.
///
/// Options; `CHAT_ADMIN_URI` and `CHAT_ADMIN_DATABASE`; the application's own variables, from the environment or its
/// `.env`; `chat-admin.yaml`; `mongodb://127.0.0.1:27017`.
struct ConnectionSource {
    /// The server and the database that were found.
    struct Target {
        let connection: ConnectionString
        let place: Place
        /// A remark for the user, such as a password in a place where others see it.
        let warning: String?
    }

    private static let defaultDatabase = "chat"
    /// A password's file; more is another file.
    private static let passwordLimit = 64 << 10

    private let options: GlobalOptions
    private let settings: Settings
    /// The password of `--password-file`.
    private let password: String?

    /// Reads the sources.
    ///
    /// - Parameter typed: Whether a person types the password: then ``typing(_:)`` takes it.
    /// - Throws: ``Failure`` when one can't be read or understood.
    init(_ options: GlobalOptions, typed: Bool) async throws {
        self.options = options
        settings = try await Settings(file: options.envFile)
        isTyped = typed && options.passwordFile == "-"
        // Until it is typed, any stands for it.
        password = isTyped ? "-" : try await options.passwordFile.asyncMap(Self.readPassword)
    }

    /// Whether the password is still to be typed.
    let isTyped: Bool

    /// The same with the password that was typed.
    ///
    /// - Throws: ``Failure`` where none was.
    func typing(_ password: String?) throws -> ConnectionSource {
        guard let password, !password.isEmpty else { throw Failure(.configuration, "No password was given.") }
        return ConnectionSource(options: options, settings: settings, password: password, isTyped: false)
    }

    private init(options: GlobalOptions, settings: Settings, password: String, isTyped: Bool) {
        (self.options, self.settings, self.password, self.isTyped) = (options, settings, password, isTyped)
    }

    /// Decides.
    ///
    /// - Throws: ``Failure``.
    func target() throws -> Target {
        let (connection, source) = try connectionString()
        var warning: String?
        if options.uri != nil, connection.hasPassword, password == nil {
            warning =
                "The password in --uri can be seen by other users of this machine; "
                + "use CHAT_ADMIN_URI or --password-file."
        }
        let database = try database(connection, from: source)
        let place = Place(
            hosts: connection.hosts, from: source, database: database?.text ?? Self.defaultDatabase,
            databaseFrom: database?.source)
        return Target(connection: try withPassword(connection), place: place, warning: warning)
    }

    private func withPassword(_ connection: ConnectionString) throws -> ConnectionString {
        guard let password else { return connection }
        do {
            return try connection.with(password: password)
        } catch {
            throw Failure(.configuration, error.message)
        }
    }

    /// - Returns: nil where nothing names a database.
    private func database(_ connection: ConnectionString, from source: String?) throws -> Settings.Value? {
        let inString = connection.database.map { Settings.Value(text: $0, source: source ?? "the connection string") }
        let isOwnVariable = settings.variable("CHAT_ADMIN_URI") != nil
        let sources: [Settings.Value?] = [
            options.database.map { Settings.Value(text: $0.trimmed, source: "--database") },
            options.uri == nil ? nil : inString,
            settings.variable("CHAT_ADMIN_DATABASE"),
            isOwnVariable ? inString : nil,
            settings.variable("MONGO_DATABASE_NAME"),
            settings.key("database"),
            inString,
        ]
        guard let found = sources.lazy.compactMap({ $0 }).first else { return nil }
        if let objection = DatabaseName.objection(to: found.text) {
            throw Failure(.configuration, "The database's name, from \(found.source): \(objection)")
        }
        return found
    }

    /// - Returns: The connection string, and where it was found; nil where nothing says one.
    private func connectionString() throws -> (ConnectionString, source: String?) {
        if let uri = options.uri { return (try parse(uri.trimmed, from: "--uri"), "--uri") }
        if let uri = settings.variable("CHAT_ADMIN_URI") { return (try parse(uri.text, from: uri.source), uri.source) }
        let application = ["MONGO_HOST", "MONGO_PORT", "MONGO_USERNAME", "MONGO_PASSWORD"]
        if let first = application.lazy.compactMap({ settings.variable($0) }).first {
            return (try fromVariables(), first.source)
        }
        if let uri = settings.key("uri") { return (try parse(uri.text, from: uri.source), uri.source) }
        if let stranger = settings.stranger {
            throw Failure(
                .configuration,
                "The variable \(stranger.source) names a MongoDB, but isn't read. Call it CHAT_ADMIN_URI, or "
                    + "name the server with --uri.")
        }
        return (try parse("mongodb://127.0.0.1:27017", from: "the default"), nil)
    }

    /// The application's own variables; what isn't said is as the application's defaults have it.
    private func fromVariables() throws -> ConnectionString {
        let host = settings.variable("MONGO_HOST")
        let port = settings.variable("MONGO_PORT")
        guard let number = Int(port?.text ?? "27017"), (1...65535).contains(number) else {
            throw Failure(.configuration, "\(port?.source ?? "MONGO_PORT") must be a number from 1 to 65535.")
        }
        if let host, let objection = HostName.objection(to: host.text) {
            throw Failure(.configuration, "\(host.source) \(objection)")
        }
        let (user, secret) = try credentials()
        do {
            return try ConnectionString(
                host: host?.text ?? "127.0.0.1", port: number, username: user, password: secret)
        } catch {
            throw Failure(.configuration, "MONGO_HOST and its companions: \(error.message)")
        }
    }

    /// As the application has it: an empty password means no authentication, and one without a user is admin's.
    private func credentials() throws -> (user: String?, password: String?) {
        let user = settings.variable("MONGO_USERNAME")?.text
        guard let secret = password ?? settings.variable("MONGO_PASSWORD")?.text else {
            guard user == nil || settings.isEmpty("MONGO_PASSWORD") else {
                throw Failure(
                    .configuration,
                    "MONGO_USERNAME is set, but there is no MONGO_PASSWORD. Set it, to nothing if the server "
                        + "asks for none.")
            }
            return (nil, nil)
        }
        return (user ?? "admin", secret)
    }

    private func parse(_ text: String, from source: String) throws -> ConnectionString {
        do {
            return try ConnectionString(text)
        } catch {
            throw Failure(.configuration, "\(source): \(error.message)")
        }
    }

    /// The first line of a file. The path isn't said: it may be the password itself, given by mistake.
    private static func readPassword(_ path: String) async throws -> String {
        let text: String
        do {
            text = try await InputFile.readText(path, limit: passwordLimit, extent: .firstLine)
        } catch {
            let isContent = error.kind == .encoding || error.kind == .tooLarge
            let hint =
                error.kind == .missing ? ". It takes a file's path, or - for standard input, never the password" : ""
            throw Failure(
                isContent ? .configuration : .localIO,
                "The file that --password-file names can't be read: \(error)\(hint).")
        }
        // A line break of Windows is one character.
        let line = text.prefix { !["\n", "\r", "\r\n"].contains($0) }
        guard !line.isEmpty else {
            throw Failure(.configuration, "The file that --password-file names has an empty first line.")
        }
        return String(line)
    }
}

extension Optional {
    /// `map` with a closure that waits.
    fileprivate func asyncMap<R>(_ transform: (Wrapped) async throws -> R) async rethrows -> R? {
        guard let self else { return nil }
        return try await transform(self)
    }
}
