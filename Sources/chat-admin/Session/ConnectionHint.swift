internal import Journal
internal import Logging
internal import MongoDriver

/// A server that couldn't be worked with, and what may help.
struct NoConnection: Error {
    let underlying: MongoError
    /// Sentences, the likeliest first.
    let hints: [String]
}

/// Looks for what is behind an error that a server, or no server, has answered with, and says what to do.
struct ConnectionHint {
    let connection: ConnectionString
    let place: Place
    /// What the errors of looking are told.
    private let logger = PlainLogHandler.logger(.critical)

    init(_ target: ConnectionSource.Target) { (connection, place) = (target.connection, target.place) }

    /// A name without a dot that isn't known is often one of these.
    static let composeHost =
        "A name without a dot is often known only inside a network of containers: run the tool there, or publish the port and "
        + "name 127.0.0.1."

    /// Hints for an error at the first contact. Where no server answered it looks for itself, which takes a few seconds.
    func hints(for error: MongoError) async -> [String] {
        switch error.kind {
        case .unreachable, .network:
            if place.from == nil { return [Self.nothingConfigured] }
            if let mapping = place.mapping { return [Self.notStarted(mapping)] }
            return await looked()
        case .authentication: return [authentication()]
        case .unauthorized where connection.username == nil: return [Self.noUser]
        default: return []
        }
    }

    /// Hints for an error of a command at work.
    ///
    /// - Parameter command: As results call it.
    func hints(for error: any Error, of command: String) -> [String] {
        guard let error = Self.cause(of: error) else { return [] }
        if error.isOfMember {
            return [
                "The server that was asked isn't the primary of its replica set. Name all members, or the set "
                    + "(replicaSet=NAME), without directConnection."
            ]
        }
        guard error.kind == .unauthorized else { return [] }
        guard let user = connection.username else { return [Self.noUser] }
        return [
            NeededRoles.of(command).sentence(
                command, user: user, database: place.database,
                isDry: CommandLine.arguments.contains("--dry-run"))
        ]
    }

    /// What the server said, beneath what was being done.
    private static func cause(of error: any Error) -> MongoError? {
        switch error {
        case let error as MongoError: error
        case EngineError.stepFailed(_, _, _, let underlying): cause(of: underlying)
        default: nil
        }
    }

    private static let nothingConfigured =
        "Nothing says which server is meant, so this machine's own was tried. Name one with --uri or CHAT_ADMIN_URI, or in "
        + "the application's .env or compose file (MONGO_HOST)."

    /// What to do where a container's port doesn't answer.
    ///
    /// - Parameter mapping: How it was to be reached.
    private static func notStarted(_ mapping: String) -> String {
        "The server is a container's: \(mapping). Look with `docker compose ps` whether it runs, and start it with "
            + "`docker compose up -d`."
    }

    /// What to do where the server asks for a user, and the connection names none.
    static let noUser =
        "Put the user into CHAT_ADMIN_URI, and the password too, or into the file of --password-file; or set MONGO_USERNAME and "
        + "MONGO_PASSWORD, as the application has them."

    /// An error in words: without a user nobody is refused anything.
    func words(_ error: MongoError) -> String {
        guard error.kind == .unauthorized, connection.username == nil else { return error.description }
        return "The server asks for a user, and the connection names none: \(error.message)."
    }

    private func authentication() -> String {
        let user = connection.username ?? "?"
        if let source = connection.authSource {
            return "The user `\(user)` was looked up in the database `\(source)`, as authSource says."
        }
        guard let database = connection.database, database != "admin" else {
            return "The user `\(user)` was looked up in the database `admin`; authSource names another one."
        }
        return
            "The user `\(user)` was looked up in the database `\(database)`, for the connection string has no authSource. "
            + "Users are mostly kept in admin: add authSource=admin."
    }

    /// Asks the hosts themselves why the driver found no server to work with.
    private func looked() async -> [String] {
        guard let pool = try? MongoPool(connection, logger: logger) else { return names(connection.hosts) }
        pool.keepUntilExit()
        guard let reports = try? await pool.withClient({ await $0.hostReports() }) else { return [] }
        for report in reports where report.failure == nil {
            guard let member = await connection.member(at: report.name, logger: logger) else { continue }
            if let hint = await hint(report.name, member) { return [hint] }
        }
        return names(reports.filter { $0.addresses.isEmpty && $0.failure != nil }.map(\.name))
    }

    private func names(_ unknown: [String]) -> [String] {
        unknown.contains { !$0.contains(".") && !$0.hasPrefix("localhost") } ? [Self.composeHost] : []
    }

    /// What a member says that explains why it wasn't used.
    private func hint(_ host: String, _ member: MemberReport) async -> String? {
        if let wanted = connection.replicaSet, wanted != member.setName {
            guard let name = member.setName else {
                return "\(host) is no member of a replica set: leave replicaSet=\(wanted) out."
            }
            return "\(host) belongs to the replica set `\(name)`, and the connection string says replicaSet=\(wanted)."
        }
        guard let name = member.setName else { return nil }
        if let unknown = await unknownMember(member) {
            return
                "The members of the replica set `\(name)` call themselves \(member.members.joined(separator: ", ")), and "
                + "\(unknown) can't be reached from here. Make the names known on this machine, or work with \(host) alone: "
                + "directConnection=true instead of replicaSet."
        }
        guard member.primary == nil else { return nil }
        return "The replica set `\(name)` has no primary at the moment (its members are "
            + "\(member.members.joined(separator: ", "))): an election is under way, or too few of them are there."
    }

    /// A member that can't be reached under the name that it has in its set, the primary first.
    private func unknownMember(_ member: MemberReport) async -> String? {
        let first = [member.primary].compactMap { $0 }
        let others = member.members.filter { !first.contains($0) }
        guard let named = try? ConnectionString("mongodb://\((first + others).joined(separator: ","))/"),
            let pool = try? MongoPool(named, logger: logger)
        else { return nil }
        pool.keepUntilExit()
        let reports = (try? await pool.withClient { await $0.hostReports() }) ?? []
        return reports.first { $0.addresses.isEmpty && $0.failure != nil }?.name
    }
}

/// The roles that a command needs on its database, and no more.
enum NeededRoles: String {
    case read
    case readWrite
    case readWriteAndAdmin = "readWrite and dbAdmin"

    /// Those of a command, as results call it.
    static func of(_ command: String) -> NeededRoles {
        switch command {
        case "check", "check accepted", "check history", "doctor", "migrate plan", "migrate status", "migrate validate",
            "runs list", "runs show",
            "history":
            .read
        case "migrate up", "migrate down", "runs undo", "repair guard", "repair all": .readWriteAndAdmin
        default: .readWrite
        }
    }

    /// What has no --dry-run.
    private static let alwaysChanges: Set = ["migrate unlock", "runs pause", "runs resume"]

    func sentence(_ command: String, user: String, database: String, isDry: Bool) -> String {
        let roles = self == .readWriteAndAdmin ? "the roles \(rawValue)" : "the role \(rawValue)"
        if isDry {
            return "`\(command) --dry-run` needs the role read on `\(database)`, which the user `\(user)` hasn't got."
        }
        let dry = self == .read || Self.alwaysChanges.contains(command) ? "" : "; with --dry-run read is enough"
        return "`\(command)` needs \(roles) on `\(database)`, which the user `\(user)` hasn't got\(dry)."
    }
}
