internal import ArgumentParser
internal import Checks

/// Who is told of a check's result besides the reader of its output.
struct TellingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Write the result into a file too, as json or junit; may be given several times.",
            valueName: "json|junit=file"))
    var output: [OutputFile] = []

    @Option(
        help: ArgumentHelp(
            "Write Prometheus metrics into a file, for node_exporter's textfile collector; also where the check fails.",
            valueName: "file"))
    var metricsFile: String?

    @Flag(help: "Print one line, and exit 0, 1, 2 or 3, as Nagios plugins do.")
    var nagios = false

    @Option(
        help: ArgumentHelp(
            "Run a command of the shell, with the result as JSON on its standard input, when something is new or right "
                + "again, or the check couldn't look.", valueName: "command"))
    var notify: String?

    /// A file to write, and how.
    struct OutputFile: ExpressibleByArgument {
        enum Kind: String, CaseIterable {
            case json, junit
        }

        let kind: Kind
        let path: String

        init?(argument: String) {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let kind = Kind(rawValue: String(parts[0])), !parts[1].isEmpty else { return nil }
            (self.kind, path) = (kind, String(parts[1]))
        }
    }

    func validate() throws {
        if metricsFile == "" { throw ValidationError("--metrics-file must name a file.") }
        if notify?.allSatisfy(\.isWhitespace) ?? false { throw ValidationError("--notify must be a command.") }
    }

    /// A file that would be written twice; nil for none.
    ///
    /// - Parameter records: Where records are kept, which is no output.
    func clash(with records: String?) -> String? {
        let files = output.map(\.path) + [metricsFile, records].compactMap { $0 }
        let places = files.map(FilePlace.init(resolving:))
        return zip(files, places).first { _, place in places.count { $0 == place } > 1 }?.0
    }
}
