internal import InputFiles
internal import MongoDriver

/// Finds out which server and database are meant: the strongest source that says so.
///
/// Options; `CHAT_ADMIN_URI` and `CHAT_ADMIN_DATABASE`; the application's own variables, from the environment, its `.env`
/// or its compose file; `chat-admin.yaml`; the application's defaults.
struct ConnectionSource {
    /// The server and the database that were found.
    struct Target {
        let connection: ConnectionString
        let place: Place
        /// A remark for the user, such as a password in a place where others see it.
        let warning: String?
    }

    /// The application's own default.
    private static let defaultDatabase = "database"
    /// A password's file; more is another file.
    private static let passwordLimit = 64 << 10

    private let options: GlobalOptions
    private let settings: Settings
    /// What the application's compose file says; nil where there is none, or it isn't asked.
    private let compose: ComposeSettings?
    /// The password of `--password-file`.
    private let password: String?

    /// Reads the sources.
    ///
    /// - Parameter typed: Whether a person types the password: then ``typing(_:)`` takes it.
    /// - Throws: ``Failure`` when one can't be read or understood.
    init(_ options: GlobalOptions, typed: Bool) async throws {
        self.options = options
        settings = try await Settings(file: options.envFile)
        compose = options.uri == nil ? try await Self.compose(settings) : nil
        for mistake in settings.misspelt where compose?.sets(mistake.known) != true { throw mistake.failure }
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
        return ConnectionSource(self, password: password)
    }

    private init(_ source: ConnectionSource, password: String) {
        (options, settings, compose) = (source.options, source.settings, source.compose)
        (self.password, isTyped) = (password, false)
    }

    /// A compose file has a say where nothing stronger names the server, or `.env` names one of its services.
    private static func compose(_ settings: Settings) async throws -> ComposeSettings? {
        guard settings.leavesServerOpen, let found = try await ComposeSettings.inFolder(settings.interpolation) else {
            return nil
        }
        let own = settings.variable("MONGO_HOST")
        if let own, !found.isService(own.text) { return nil }
        guard let host = try own ?? found.variable("MONGO_HOST") else { return found }
        return await ContainerNetwork.knows(host.text) ? found.reachedByName : found
    }

    /// Decides.
    ///
    /// - Throws: ``Failure``.
    func target() throws -> Target {
        let server = try server()
        let connection = server.connection
        var warning: String?
        if options.uri != nil, connection.hasPassword, password == nil {
            warning =
                "The password in --uri can be seen by other users of this machine; "
                + "use CHAT_ADMIN_URI or --password-file."
        }
        let database = try database(connection, from: server.source)
        let place = Place(
            hosts: connection.hosts, from: server.source, mapping: server.mapping,
            database: database?.text ?? Self.defaultDatabase, databaseFrom: database?.source)
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
        ]
        // Services of a compose file that disagree matter only where nothing stronger names the database.
        let stronger = sources.lazy.compactMap { $0 }.first
        guard
            let found = try stronger ?? variable("MONGO_DATABASE_NAME") ?? settings.key("database") ?? inString
        else { return nil }
        if let objection = DatabaseName.objection(to: found.text) {
            throw Failure(.configuration, "The database's name, from \(found.place): \(objection)")
        }
        return found
    }

    /// A server, and where it was named; nil where nothing names one.
    private struct Server {
        let connection: ConnectionString
        let source: String?
        /// How it is reached, where that isn't how it was named.
        var mapping: String?
    }

    private func server() throws -> Server {
        if let uri = options.uri { return Server(connection: try parse(uri.trimmed, from: "--uri"), source: "--uri") }
        if let uri = settings.variable("CHAT_ADMIN_URI") { return try server(uri) }
        for name in ["MONGO_HOST", "MONGO_PORT", "MONGO_USERNAME", "MONGO_PASSWORD"] {
            if let first = try variable(name) { return try fromVariables(first.source) }
        }
        if let uri = settings.key("uri") { return try server(uri) }
        if let stranger = settings.stranger {
            throw Failure(
                .configuration,
                "The variable \(stranger.place) names a MongoDB, but isn't read. Call it CHAT_ADMIN_URI, or "
                    + "name the server with --uri.")
        }
        if let stranger = compose?.stranger {
            throw Failure(
                .configuration,
                "The variable \(stranger.place), names a MongoDB, but isn't read. Name the server as this machine reaches "
                    + "it, with CHAT_ADMIN_URI or --uri.")
        }
        if let unread = compose?.unread {
            throw Failure(
                .configuration,
                "\(unread.place): \(unread.text), isn't read, and nothing else says where the database is. "
                    + "Name the server with CHAT_ADMIN_URI or --uri.")
        }
        if let (place, address) = try compose?.onlyServer() {
            throw Failure(
                .configuration,
                "\(place) is a MongoDB, and no service says with MONGO_HOST that it is the application's. If it is, name it: "
                    + "--uri mongodb://\(address.host):\(address.port), and the database with --database.")
        }
        return Server(connection: try parse("mongodb://127.0.0.1:27017", from: "the default"), source: nil)
    }

    private func server(_ uri: Settings.Value) throws -> Server {
        Server(connection: try parse(uri.text, from: uri.source), source: uri.source)
    }

    /// One of the application's variables: what the environment or `.env` sets, also to nothing, is stronger than what a
    /// compose file does.
    private func variable(_ name: String) throws -> Settings.Value? {
        settings.isSet(name) ? settings.variable(name) : try compose?.variable(name)
    }

    /// The application's own variables; what isn't said is as the application's defaults have it.
    private func fromVariables(_ source: String) throws -> Server {
        let host = try variable("MONGO_HOST")
        let port = try port(isBesideComposeHost: host != nil && settings.variable("MONGO_HOST") == nil)
        guard let number = Int(port?.text ?? "27017"), (1...65535).contains(number) else {
            throw Failure(.configuration, "\(port?.place ?? "MONGO_PORT") must be a number from 1 to 65535.")
        }
        if let host, let objection = HostName.objection(to: host.text) {
            throw Failure(.configuration, "\(host.place) \(objection)")
        }
        let mapped = try host.flatMap { try compose?.address(of: $0.text, number) }
        let (user, secret) = try credentials()
        do {
            let connection = try ConnectionString(
                host: mapped?.host ?? host?.text ?? "127.0.0.1", port: mapped?.port ?? number, username: user,
                password: secret)
            return Server(connection: connection, source: source, mapping: mapped?.mapping)
        } catch {
            throw Failure(.configuration, "MONGO_HOST and its companions: \(error.message)")
        }
    }

    /// A host's port stands beside it: that of `.env` may be the one that a compose file publishes.
    private func port(isBesideComposeHost: Bool) throws -> Settings.Value? {
        guard isBesideComposeHost, let port = try compose?.variable("MONGO_PORT") else {
            return try variable("MONGO_PORT")
        }
        return port
    }

    /// As the application has it: an empty password means no authentication, and one without a user is admin's.
    private func credentials() throws -> (user: String?, password: String?) {
        let user = try variable("MONGO_USERNAME")?.text
        guard let secret = try password ?? variable("MONGO_PASSWORD")?.text else {
            let isEmpty = try settings.isSet("MONGO_PASSWORD") || compose?.isEmpty("MONGO_PASSWORD") == true
            guard user == nil || isEmpty else {
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
