internal import FoundationEssentials
internal import InputFiles
public import Journal
public import MigrationEngine

/// A directory of steps in golang-migrate's format for MongoDB: `NNN_title.up.json` and `NNN_title.down.json`, each an
/// array of database commands.
public struct StepDirectory: Sendable {
    /// Its path, as it was given.
    public let path: String
    /// The name of the series: the directory's own, unless another was given.
    public let series: String
    /// Its steps, by version.
    public let steps: [any Migration]
    /// What was passed over, and why, a sentence each.
    public let warnings: [String]
    /// What looks like a step and can't be run, a sentence each: nobody should believe that it was. In ``warnings`` too.
    public let unusable: [String]

    /// The runner of its steps.
    package var runner: MigrationRunner { MigrationRunner(series: series, steps: steps) }

    /// Reads a directory and every step in it.
    ///
    /// - Parameters:
    ///   - path: The directory.
    ///   - series: The name of the series; nil for the directory's own.
    ///   - journalLimit: As `RepairSettings.journalLimit`, for plans.
    /// - Throws: ``StepFileError``: the directory or a file can't be read, a file isn't an array of commands, or two
    ///   files are the same version.
    public init(
        path: String, series: String? = nil, journalLimit: Int64 = RepairSettings.defaultJournalLimit
    ) throws(StepFileError) {
        self.path = path
        self.series = try Self.series(series, path)
        var warnings: [String] = []
        var unusable: [String] = []
        var files: [Int64: [MigrationDirection: (name: String, title: String)]] = [:]
        for name in try Self.names(in: path) {
            let parsed: StepFileName
            do {
                parsed = try StepFileName(parsing: name)
            } catch {
                warnings.append("\(path)/\(name) isn't a step and is passed over: \(error.reason).")
                if StepFileName.looksLikeStep(name) {
                    unusable.append(
                        "\(path)/\(name) looks like a step and can't be run: \(error.reason). Rename it, or take it away."
                    )
                }
                continue
            }
            if let other = files[parsed.version]?[parsed.direction] {
                throw StepFileError(
                    .malformed, path: path,
                    reason: "\(other.name) and \(name) both have the version \(parsed.version); give one a new version")
            }
            files[parsed.version, default: [:]][parsed.direction] = (name, parsed.title)
        }
        var steps: [any Migration] = []
        for (version, pair) in files.sorted(by: { $0.key < $1.key }) {
            guard let up = pair[.up] else {
                let sentence =
                    "\(path)/\(pair[.down]?.name ?? "") reverts a step that isn't there: version \(version) has no "
                    + ".up.json."
                warnings.append(sentence)
                unusable.append(sentence)
                continue
            }
            if let down = pair[.down], down.title != up.title {
                warnings.append(
                    "\(path): \(up.name) and \(down.name) have different titles; they are taken for one step.")
            }
            let down = try pair[.down].map { file throws(StepFileError) in
                try StepFile(path: "\(path)/\(file.name)")
            }
            let upFile = try StepFile(path: "\(path)/\(up.name)")
            let isForgotten = down?.commands.isEmpty == true && !upFile.commands.isEmpty
            if isForgotten {
                warnings.append("\(down?.path ?? "") has no commands: the step is reverted from the journal.")
            }
            steps.append(
                FileStep(
                    version: version, title: up.title, up: upFile, down: isForgotten ? nil : down,
                    journalLimit: journalLimit))
        }
        self.steps = steps
        self.warnings = warnings
        self.unusable = unusable
    }

    /// The files of a directory, sorted; what is hidden is left out.
    private static func names(in path: String) throws(StepFileError) -> [String] {
        var isFolder = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw StepFileError(
                .inputOutput, path: path,
                reason: "there is no such directory; \(StepFileAdvice.makeDirectory(path))")
        }
        guard isFolder else {
            throw StepFileError(.inputOutput, path: path, reason: "it isn't a directory")
        }
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path).filter { !$0.hasPrefix(".") }.sorted()
        } catch {
            throw StepFileError(.inputOutput, path: path, reason: "it can't be read (\(SystemWords.of(error)))")
        }
    }

    private static func series(_ given: String?, _ path: String) throws(StepFileError) -> String {
        let name = given ?? URL(fileURLWithPath: path).standardizedFileURL.lastPathComponent
        // The ledger's keys are `series/version`.
        guard !name.isEmpty, !name.contains("/"), name != "." else {
            throw StepFileError(
                .malformed, path: path, reason: "`\(name)` can't be a series' name; \(StepFileAdvice.nameSeries)")
        }
        return name
    }
}
