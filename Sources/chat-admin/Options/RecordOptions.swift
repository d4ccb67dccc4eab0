internal import ArgumentParser
internal import Checks
internal import Journal

/// Where recorded checks are kept.
struct RecordOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Keep records in this file instead of `chat_admin.checks`, for users who may only read the database.",
            valueName: "file"))
    var recordFile: String?

    /// The newest records of a database's checks.
    ///
    /// - Throws: ``Failure`` where the file's are another's, and what a store throws.
    func records(_ database: Database, limit: Int) async throws -> [CheckRecord] {
        let records = try await store(database).records(limit: limit)
        guard let recordFile, let other = records.lazy.compactMap(\.basis?.database).first, other != database.name
        else { return records }
        throw Failure(
            .configuration,
            "The records in `\(recordFile)` are of the database `\(other)`, not of `\(database.name)`: give each a file of "
                + "its own with --record-file.")
    }

    /// What a check is recorded by in the same place.
    var arguments: String { recordFile.map { "--record-file \(AdviceWords.quoted($0))" } ?? "--record" }

    func store(_ database: Database) -> any CheckStore {
        if let recordFile {
            FileCheckStore(recordFile) { try await database.serverTime() }
        } else {
            DatabaseCheckStore(database)
        }
    }
}

/// Whether a check is recorded, and what makes it fail.
struct RecordingOptions: ParsableArguments {
    @OptionGroup var kept: RecordOptions

    @Flag(help: "Record the check, for later ones to say what is new. --record-file FILE does so in a file.")
    var record = false

    @Option(help: ArgumentHelp("How many days recorded checks are kept.", valueName: "days"))
    var keep = 400

    @Option(
        help:
            "What makes the check fail (exit code 1): any finding, only what the last recorded check didn't find, or none."
    )
    var failOn = FailOn.any

    func validate() throws {
        guard (1...36_500).contains(keep) else { throw ValidationError("--keep must be between 1 and 36,500 days.") }
    }

    /// Whether the check is recorded.
    var isRecorded: Bool { record || kept.recordFile != nil }
}

extension FailOn: ExpressibleByArgument {}
