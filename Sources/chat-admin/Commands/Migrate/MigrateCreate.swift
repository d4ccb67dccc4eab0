internal import ArgumentParser
internal import FoundationEssentials
internal import InputFiles
import MigrationEngine
internal import StepFiles

/// Makes the files of a new step.
struct MigrateCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make the files of a new step; needs no server.",
        discussion: """
            By default NNN_name.up.json and NNN_name.down.json in the directory that --steps names, with the next free \
            version. With --swift a source file, its registration and a test, in a checkout of this project.
            """)

    @Argument(help: "The step's name, in words joined by hyphens or underscores.")
    var name: String

    @Option(help: ArgumentHelp("Make the files in this directory; it is made if it is missing.", valueName: "dir"))
    var steps = "migrations"

    @Flag(help: "Make a Swift source file, its registration and a test instead.")
    var swift = false

    @Option(help: ArgumentHelp("The checkout to make the source file in.", valueName: "dir"))
    var package = "."

    @Flag(help: "Take the present time as the version (YYYYMMDDhhmmss, UTC) instead of the next number.")
    var timestamp = false

    @Option(help: ArgumentHelp("Print results as text or as one JSON document.", valueName: "text|json"))
    var format: OutputFormat = .text

    func validate() throws {
        let begins = name.first.map { $0.isASCII && $0.isLetter } ?? false
        let allowed = begins && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        guard allowed else {
            throw ValidationError("A step's name begins with a letter and is made of letters, digits, - and _: \(name)")
        }
        if swift, timestamp { throw ValidationError("--timestamp is for files; Swift steps are numbered.") }
    }

    func run() async throws {
        let console = Console(isQuiet: false, noColor: true)
        do {
            let made = swift ? try SwiftStepFiles(name: name, package: package).make() : try makeFiles()
            try console.print(made, format)
        } catch {
            let status = ExitStatus(error)
            console.error("chat-admin: \(error)")
            if format == .json {
                let result = CommandSession.ErrorResult(
                    command: "migrate create", error: "\(error)", exitCode: status.rawValue)
                try console.result(json: result)
            }
            throw ExitCode(status.rawValue)
        }
    }

    private func makeFiles() throws -> CreateResult {
        let files = FileManager.default
        if !files.fileExists(atPath: steps) {
            try NewFile.reporting(steps) { try files.createDirectory(atPath: steps, withIntermediateDirectories: true) }
        }
        let names = try NewFile.reporting(steps) { try files.contentsOfDirectory(atPath: steps) }
        let present = names.compactMap { name in (try? StepFileName(parsing: name)).map { (name: name, parsed: $0) } }
        let newest = present.map(\.parsed.version).max() ?? 0
        guard newest < Int64.max else { throw Failure(.badInput, "\(steps) has the largest version there is already.") }
        let version = timestamp ? Self.now : newest + 1
        guard version > newest else {
            throw Failure(.badInput, "\(steps) has version \(newest) already, which is newer than \(version).")
        }
        let title = name.replacing("-", with: "_")
        if let same = present.first(where: { $0.parsed.title == title }) {
            throw Failure(.badInput, "\(steps) has a step of that name already: \(same.parsed.text()).")
        }
        let width = present.map { $0.name.prefix(while: \.isNumber).count }.max()
        var made: [String] = []
        for direction in [MigrationDirection.up, .down] {
            let file = StepFileName(version: version, title: title, direction: direction)
            let path = "\(steps)/\(file.text(width: width ?? StepFileName.defaultWidth))"
            try NewFile.write("[\n]\n", to: path)
            made.append(path)
        }
        return CreateResult(
            version: version, files: made, next: "Write the database commands into them, as Extended JSON.")
    }

    private static var now: Int64 {
        Int64(Date().formatted(.iso8601).filter(\.isNumber)) ?? 0
    }
}

/// What `migrate create` prints.
struct CreateResult: CommandResult {
    let command = "migrate create"
    let version: Int64
    /// The files that were made, and those that were changed.
    let files: [String]
    /// What to do now.
    let next: String

    func lines(_ style: TextStyle) -> [String] { files.map { "Wrote \($0)" } + [next] }
}

/// Files that weren't there before.
enum NewFile {
    /// Writes a file, unless there is one.
    static func write(_ text: String, to path: String) throws {
        try reporting(path) {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .withoutOverwriting)
        }
    }

    /// Turns what goes wrong with a file into a sentence.
    static func reporting<R>(_ path: String, _ body: () throws -> R) throws -> R {
        do {
            return try body()
        } catch {
            throw Failure(.localIO, "\(path): \(SystemWords.of(error))")
        }
    }
}
