internal import Consistency

/// A check's outcome as Nagios and what is like it read it: one line, with an exit code of 0 to 3
/// (https://nagios-plugins.org/doc/guidelines.html).
package struct NagiosStatus: Sendable {
    /// How bad it is.
    package enum Level: Int32, Sendable {
        case good = 0
        case warning = 1
        case critical = 2
        case unknown = 3

        fileprivate var word: String {
            switch self {
            case .good: "OK"
            case .warning: "WARNING"
            case .critical: "CRITICAL"
            case .unknown: "UNKNOWN"
            }
        }
    }

    /// The exit code.
    package let level: Level
    /// The line.
    package let line: String

    /// Puts an outcome in one line.
    ///
    /// What makes the check fail is critical where it is an error that the last recorded check didn't find, or where there
    /// is none to compare it with; the rest, and warnings, are warnings.
    ///
    /// - Parameters:
    ///   - outcome: How the check ended.
    ///   - failOn: What counts.
    ///   - isCompared: Whether there was a recorded check to compare it with.
    package init(_ outcome: CheckOutcome, counting failOn: FailOn, isCompared: Bool) {
        if let failure = outcome.failure {
            self.init(.unknown, Self.firstLine(failure), "")
            return
        }
        guard outcome.isComplete else {
            self.init(.unknown, "not looked at: " + outcome.unchecked.joined(separator: ", "), "")
            return
        }
        let standing = outcome.found.filter { failOn.count(new: $0.new, known: $0.known) > 0 }
        let isCritical = standing.contains { $0.severity == .error && (!isCompared || $0.new > 0) }
        let level: Level = standing.isEmpty ? .good : isCritical ? .critical : .warning
        let findings = outcome.found.reduce(0) { $0 + $1.new + $1.known }
        let accepted = outcome.found.reduce(0) { $0 + $1.accepted }
        var text = "\(findings) finding\(findings == 1 ? "" : "s"), \(outcome.new) new"
        if accepted > 0 { text += ", \(accepted) accepted" }
        let counts = Dictionary(
            outcome.found.map { ($0.name.code, $0.new + $0.known) }, uniquingKeysWith: { $0 + $1 })
        let data = outcome.codes.map { code in
            let name = code.rawValue.replacing(".", with: "_")
            return "\(name)=\(counts[code.rawValue] ?? 0);0;\(code.severity == .error ? "0" : "")"
        }
        let time = "time=\(Double(outcome.durationMS) / 1000)s"
        self.init(level, text, " | " + (data + [time]).joined(separator: " "))
    }

    private init(_ level: Level, _ text: String, _ data: String) {
        self.level = level
        // A bar begins the figures.
        line = "CHAT \(level.word) - \(text.replacing("|", with: "/"))\(data)"
    }

    private static func firstLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).first.map(String.init) ?? text
    }
}
