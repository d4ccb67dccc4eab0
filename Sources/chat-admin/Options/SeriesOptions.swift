internal import ArgumentParser
internal import Journal
internal import MigrationEngine
internal import Migrations
internal import StepFiles

/// Which steps a `migrate` command is about.
struct SeriesOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Work on the steps in this directory (NNN_title.up.json and .down.json), a series of its own, instead of the "
                + "built-in ones.", valueName: "dir"))
    var steps: String?

    @Option(help: ArgumentHelp("Call the directory's series this (default: the directory's name).", valueName: "name"))
    var series: String?

    func validate() throws {
        if let series {
            if steps == nil { throw ValidationError("--series names the series of a directory: --steps says which.") }
            if series.isEmpty || series.contains("/") {
                throw ValidationError("--series must be a name without `/`.")
            }
            if series == ChatMigrations.series {
                throw ValidationError("--series: `\(series)` is the name of the built-in series.")
            }
        }
    }

    /// Whether they are the steps of the chat database.
    var areBuiltIn: Bool { steps == nil }

    /// Reads the steps.
    ///
    /// - Parameters:
    ///   - journalLimit: As `RepairSettings.journalLimit`.
    ///   - isWhole: Whether a file that looks like a step and can't be run is refused: nobody should believe that it was.
    /// - Throws: `StepFileError`, ``Failure``.
    func read(journalLimit: Int64 = RepairSettings.defaultJournalLimit, isWhole: Bool = false) throws -> Steps {
        guard let steps else { return Steps(runner: ChatMigrations.runner, warnings: []) }
        let directory = try StepDirectory(path: steps, series: series, journalLimit: journalLimit)
        guard directory.series != ChatMigrations.series else {
            throw Failure(
                .usage,
                "\(steps): `\(directory.series)` is the name of the built-in series; name this one with --series.")
        }
        if isWhole, !directory.unusable.isEmpty {
            throw Failure(.badInput, directory.unusable.joined(separator: " "))
        }
        if isWhole, directory.steps.isEmpty {
            throw Failure(
                .badInput,
                "\(steps): there is no step in this directory. A step's files are called NNN_title.up.json and "
                    + "NNN_title.down.json; `migrate create` makes them.")
        }
        return Steps(runner: directory.runner, warnings: directory.warnings)
    }

    /// What advice is put into words with.
    var words: AdviceWords { steps.map { AdviceWords(steps: $0, series: series) } ?? AdviceWords() }

    /// The steps, and what was passed over.
    struct Steps {
        let runner: MigrationRunner
        let warnings: [String]
    }
}

/// What a step may do.
struct DangerOptions: ParsableArguments {
    @Flag(help: "Let steps do what can lose data: drop a collection, change every document, replace a collection.")
    var allowDangerous = false

    @OptionGroup var journal: JournalLimitOption

    /// Sets what the options say.
    func apply(to settings: inout RepairSettings) {
        settings.allowsDangerous = allowDangerous
        settings.journalLimit = journal.journalLimit.bytes
    }
}

/// How much is journalled before it is destroyed.
struct JournalLimitOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Journal a collection's documents before a step destroys them if they have at most this size, such as 500MB "
                + "or 2GB; larger ones can't be restored.", valueName: "size"))
    var journalLimit = ByteCount(bytes: RepairSettings.defaultJournalLimit)
}

/// A number of bytes: `1000`, `500KB`, `20MB`, `1GB`, by powers of 1024.
struct ByteCount: ExpressibleByArgument, CustomStringConvertible {
    let bytes: Int64

    init(bytes: Int64) { self.bytes = bytes }

    private static let units: [(suffix: String, bytes: Int64)] = [("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30)]

    init?(argument: String) {
        let text = argument.uppercased()
        let unit = Self.units.first { text.hasSuffix($0.suffix) }
        guard let number = Int64(text.dropLast(unit?.suffix.count ?? 0)), number >= 0 else { return nil }
        let (bytes, overflows) = number.multipliedReportingOverflow(by: unit?.bytes ?? 1)
        guard !overflows else { return nil }
        self.bytes = bytes
    }

    var description: String {
        guard let unit = Self.units.last(where: { bytes >= $0.bytes && bytes % $0.bytes == 0 }) else {
            return "\(bytes)"
        }
        return "\(bytes / unit.bytes)\(unit.suffix)"
    }

    var defaultValueDescription: String { description }
}
