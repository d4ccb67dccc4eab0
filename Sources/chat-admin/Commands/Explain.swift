internal import ArgumentParser
internal import Consistency

/// Says what a finding means.
struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what a finding means, how it comes about, and what can be done.",
        discussion: "Without a code, all are listed. It connects to nothing.")

    @Argument(help: ArgumentHelp("A finding's code, such as id.empty; a kind, such as ref, stands for all of it."))
    var code: String?

    @Option(help: ArgumentHelp("Print as text or as one JSON document.", valueName: "text|json"))
    var format: OutputFormat = .text

    @Flag(help: "Print without colours.")
    var noColor = false

    @Flag(help: ArgumentHelp("Print docs/findings.md.", visibility: .hidden))
    var page = false

    func validate() throws { _ = try codes() }

    func run() throws {
        let console = Console(isQuiet: false, noColor: noColor)
        let codes = try codes()
        guard !page else { return try console.result(FindingsPage.lines(codes), width: nil) }
        try console.print(ExplainResult(codes, isList: code == nil), format)
    }

    private func codes() throws -> [FindingCode] {
        guard let code else { return FindingCode.allCases }
        return try FindingCode.named(code)
    }
}

/// What `explain` prints.
private struct ExplainResult: CommandResult {
    struct Item: Encodable {
        let code: String
        let severity: String
        let meaning: String
        let cause: String
        let repair: String
        let decision: String?
        /// The command that mends it, as findings name it.
        let command: String?
    }

    let command = "explain"
    let findings: [Item]
    private let codes: [FindingCode]
    private let isList: Bool

    private enum CodingKeys: String, CodingKey {
        case command, findings
    }

    init(_ codes: [FindingCode], isList: Bool) {
        (self.codes, self.isList) = (codes, isList)
        findings = codes.map { code in
            let explanation = FindingExplanation.of(code)
            return Item(
                code: code.rawValue, severity: code.severity.rawValue, meaning: explanation.meaning,
                cause: explanation.cause, repair: explanation.repair, decision: explanation.decision,
                command: code.repair)
        }
    }

    func lines(_ style: TextStyle) -> [String] {
        if isList {
            let rows = findings.map { [$0.code, $0.severity, $0.command ?? "reported only"] }
            return TextTable.lines(rows, indent: "") + ["", "`chat-admin explain CODE` says more of one."]
        }
        return codes.enumerated().flatMap { number, code -> [String] in
            let paragraphs = FindingExplanation.of(code).parts.flatMap { title, text in
                [""] + (title.map { [style.bold($0)] } ?? []) + Wrapped.lines(text, width: min(style.width, 80))
            }
            let heading = style.bold("\(code.rawValue) (\(code.severity.rawValue))")
            return (number == 0 ? [] : ["", ""]) + [heading] + paragraphs
        }
    }
}

/// docs/findings.md, in the order of the codes.
private enum FindingsPage {
    static func lines(_ codes: [FindingCode]) -> [String] {
        let head = [
            "# Findings", "",
            "What `chat-admin check` can find. `chat-admin explain CODE` prints the same; `make findings` writes this page.",
            "", "| code | severity | mended by |", "|---|---|---|",
        ]
        let table = codes.map { code in
            let anchor = code.rawValue.replacing(".", with: "")
            return "| [\(code.rawValue)](#\(anchor)) | \(code.severity.rawValue) | "
                + "\(code.repair.map { "`\($0)`" } ?? "reported only") |"
        }
        let sections = codes.flatMap { code -> [String] in
            let paragraphs = FindingExplanation.of(code).parts.flatMap { title, text in
                [""] + Wrapped.lines((title.map { "**\($0).** " } ?? "") + text, width: 120)
            }
            return ["", "## \(code.rawValue)"] + paragraphs
        }
        return head + table + sections
    }
}
