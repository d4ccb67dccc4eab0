internal import ArgumentParser
public import MongoDriver

/// Options that every command takes.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Connect to this MongoDB. Put a password into CHAT_ADMIN_URI or --password-file instead of here, where "
                + "`ps` shows it.", valueName: "connection-string"))
    var uri: String?

    @Option(
        help: ArgumentHelp(
            "Work on this database (default: the connection string's, CHAT_ADMIN_DATABASE, MONGO_DATABASE_NAME, or "
                + "database, as the application has it).", valueName: "name"))
    var database: String?

    @Option(
        help: ArgumentHelp(
            "Read the user's password from a file's first line; - reads standard input, and asks where that is a terminal.",
            valueName: "file"))
    var passwordFile: String?

    @Option(
        help: ArgumentHelp(
            "Read the application's variables from this file (default: .env, if it is there).", valueName: "file"))
    var envFile: String?

    @Option(help: ArgumentHelp("Print results as text or as one JSON document.", valueName: "text|json"))
    var format: OutputFormat = .text

    @Flag(name: [.short, .long], help: "Print no progress and no remarks.")
    var quiet = false

    @Flag(name: [.short, .long], help: "Say more on standard error; twice shows every command sent to the server.")
    var verbose: Int

    @Flag(help: "Print without colours.")
    var noColor = false

    @Option(
        help: ArgumentHelp(
            "Let these members of a replica set answer reads that change nothing: primary, primaryPreferred, "
                + "secondary, secondaryPreferred, nearest.", valueName: "mode"))
    var readPreference: ReadPreference?

    @Option(
        help: ArgumentHelp(
            "Stop after this time, such as 90, 90s, 5m or 1h30m: at the next batch boundary, or two seconds later wherever "
                + "it is.", valueName: "duration"))
    var maxTime: Span?

    @Option(
        help: ArgumentHelp(
            "Refuse to answer from data that are older than this, as a lagging member of a replica set shows them.",
            valueName: "duration"))
    var maxStaleness: Span = Span(90)

    func validate() throws {
        if let maxTime, !(maxTime.seconds > 0 && maxTime.seconds <= Seconds.maximum) {
            throw ValidationError("--max-time must be more than 0 and at most \(Int(Seconds.maximum)) seconds.")
        }
        if let objection = Seconds.objection("--max-staleness", to: maxStaleness) { throw ValidationError(objection) }
        if envFile == "-" && passwordFile == "-" {
            throw ValidationError("--env-file and --password-file can't both read standard input.")
        }
        if let database, let reason = DatabaseName.objection(to: database.trimmed) {
            throw ValidationError("--database: \(reason)")
        }
        if let uri {
            do {
                _ = try ConnectionString(uri.trimmed)
            } catch {
                throw ValidationError("--uri: \(error.message)")
            }
        }
    }
}

/// Bounds of options that are times.
enum Seconds {
    /// Ten years: longer than any run, and short enough to calculate with.
    static let maximum = 315_360_000.0

    /// Why a time can't be used, or nil.
    static func objection(_ option: String, to value: Span) -> String? {
        (0...maximum).contains(value.seconds) ? nil : "\(option) must be from 0 to \(Int(maximum)) seconds."
    }
}

/// How results are printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case text
    case json
}

extension ReadPreference: ExpressibleByArgument {}
