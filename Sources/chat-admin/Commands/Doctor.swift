internal import ArgumentParser
internal import Journal
internal import MongoDriver

/// Looks whether everything is in place that the other commands need.
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look whether everything is in place for the other commands; change nothing.",
        discussion: """
            One answer for each question: whether each host is reachable, who you are and what you may do, the server's \
            version and members, whether a majority is there, the clocks, the lease, unfinished runs, the journal, guard and \
            indexes. Exits 0 when nothing fails (warnings are told), and 1 when something does, also where no server answers.
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let diagnoses = Diagnoses()
        let start = ContinuousClock.now
        let result = { @Sendable (place: Place?) in
            DoctorResult(
                database: place?.database ?? "", diagnoses: diagnoses.all,
                durationMS: (ContinuousClock.now - start).milliseconds)
        }
        let lookAtHosts = { (connection: ConnectionString) in
            try await HostQuestions(connection: connection, diagnoses: diagnoses).ask()
        }
        let answer = { (error: any Error, place: Place?, console: Console) -> ExitStatus? in
            guard let failures = HostQuestions.diagnosis(of: error, diagnoses.all) else { return nil }
            for failure in failures { diagnoses.add(failure) }
            try console.print(result(place), options.format)
            return .findings
        }
        try await CommandSession.run(
            "doctor", options, requires: .anything, beforeConnecting: lookAtHosts, failing: answer
        ) { session in
            session.soFar.tell { result(session.place) }
            let mayLook = try await ServerQuestions(session: session, diagnoses: diagnoses).ask()
            if mayLook { try await DatabaseQuestions(session: session, diagnoses: diagnoses).ask() }
            let result = result(session.place)
            try session.console.print(result, options.format)
            return result.healthy ? .done : .findings
        }
    }
}

/// What `doctor` prints.
struct DoctorResult: CommandResult {
    let command = "doctor"
    let database: String
    let healthy: Bool
    let checks: [Diagnosis]
    let durationMS: Int64

    private enum CodingKeys: String, CodingKey {
        case command, database, healthy, checks, durationMS
    }

    init(database: String, diagnoses: [Diagnosis], durationMS: Int64) {
        self.database = database
        self.durationMS = durationMS
        checks = diagnoses
        healthy = diagnoses.allSatisfy { $0.status != .failure }
    }

    func lines(_ style: TextStyle) -> [String] {
        let width = checks.map(\.name.count).max() ?? 0
        let indent = "  ".count + "warning".count + 2 + width + 2
        // On a narrow terminal the text stands beneath.
        let isNarrow = style.width - indent < 30
        let answers = checks.flatMap { check -> [String] in
            let name = check.name + String(repeating: " ", count: width - check.name.count)
            let status = check.status.rawValue + String(repeating: " ", count: 7 - check.status.rawValue.count)
            let texts = [check.message] + [check.advice].compactMap { $0 }.map { "-> \($0)" }
            if isNarrow {
                let lines = texts.flatMap { Wrapped.lines($0, width: style.width - 4) }
                return ["  \(paint(check.status, status, style))  \(check.name)"] + lines.map { "    \($0)" }
            }
            let lines = texts.flatMap { Wrapped.lines($0, width: style.width - indent) }
            let margin = String(repeating: " ", count: indent)
            return ["  \(paint(check.status, status, style))  \(name)  \(lines.first ?? "")"]
                + lines.dropFirst().map { margin + $0 }
        }
        let counts = [(Diagnosis.Status.failure, "failure"), (.warning, "warning")].compactMap {
            status, word -> String? in
            let count = checks.count { $0.status == status }
            return count == 0 ? nil : "\(count) \(word)\(count == 1 ? "" : "s")"
        }
        let verdict =
            counts.isEmpty ? style.good("Everything is in place.") : style.bold(counts.joined(separator: ", ") + ".")
        return answers + [verdict]
    }

    private func paint(_ status: Diagnosis.Status, _ text: String, _ style: TextStyle) -> String {
        switch status {
        case .good: style.good(text)
        case .warning: style.warning(text)
        case .failure: style.bad(text)
        }
    }
}
