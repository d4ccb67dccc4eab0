/// What a report tells, as plain values. Times are in milliseconds since 1970.
package struct ReportData: Sendable {
    /// One recorded check.
    package struct Check: Sendable {
        package let number: Int64
        package let at: Int64
        package let durationMS: Int64
        package let isComplete: Bool
        package let isBaseline: Bool
        package let findings: [Finding]
        package let new: Int
        package let resolved: Int
        /// The number of documents, by collection.
        package let sizes: [String: Int]
        /// The codes that it looked for; nil for all.
        package let codes: Set<String>?

        /// Describes a check.
        package init(
            number: Int64, at: Int64, durationMS: Int64, isComplete: Bool, isBaseline: Bool, findings: [Finding],
            new: Int, resolved: Int, sizes: [String: Int], codes: Set<String>? = nil
        ) {
            self.codes = codes
            (self.number, self.at, self.durationMS) = (number, at, durationMS)
            (self.isComplete, self.isBaseline) = (isComplete, isBaseline)
            (self.findings, self.new, self.resolved, self.sizes) = (findings, new, resolved, sizes)
        }
    }

    /// What a check found in one place.
    package struct Finding: Sendable {
        package let code: String
        package let place: String
        package let isError: Bool
        package let count: Int
        /// How many of them were accepted.
        package let accepted: Int
        package let since: Int64

        /// Describes a finding.
        package init(code: String, place: String, isError: Bool, count: Int, accepted: Int = 0, since: Int64) {
            (self.code, self.place, self.isError) = (code, place, isError)
            (self.count, self.accepted, self.since) = (count, accepted, since)
        }
    }

    /// A run that changed something.
    package struct Run: Sendable {
        /// When it began; nil where that isn't known.
        package let at: Int64?
        package let command: String
        package let state: String
        package let changed: String
        /// The command that undoes it; nil where none does.
        package let undo: String?

        /// Describes a run.
        package init(at: Int64?, command: String, state: String, changed: String, undo: String?) {
            (self.at, self.command, self.state, self.changed) = (at, command, state, changed)
            self.undo = undo
        }
    }

    /// Where a step stands.
    package struct Step: Sendable {
        package let version: String
        package let name: String
        package let state: String
        /// Since when it is there; nil where it isn't.
        package let at: Int64?

        /// Describes a step.
        package init(version: String, name: String, state: String, at: Int64?) {
            (self.version, self.name, self.state, self.at) = (version, name, state, at)
        }
    }

    /// What is accepted.
    package struct Accepted: Sendable {
        package let number: String
        package let code: String
        /// The collection, or a field of it; nil for all.
        package let place: String?
        package let until: String
        package let reason: String
        package let user: String
        /// The documents, or how many; nil for all.
        package let documents: String?

        /// Describes an acceptance.
        package init(
            number: String, code: String, place: String?, until: String, reason: String, user: String,
            documents: String?
        ) {
            (self.number, self.code, self.place, self.until) = (number, code, place, until)
            (self.reason, self.user, self.documents) = (reason, user, documents)
        }
    }

    /// The database, and the server.
    package let database: String
    package let server: String
    /// The moment that ages are told from.
    package let now: Int64
    /// The time before which nothing is told.
    package let since: Int64
    /// Oldest first.
    package let checks: [Check]
    package let runs: [Run]
    package let steps: [Step]
    package let accepted: [Accepted]
    /// The command that records a check where these are.
    package let recording: String

    /// Collects what a report tells.
    package init(
        database: String, server: String, now: Int64, since: Int64, checks: [Check], runs: [Run], steps: [Step],
        accepted: [Accepted], recording: String
    ) {
        self.recording = recording
        (self.database, self.server, self.now, self.since) = (database, server, now, since)
        self.checks = checks.sorted { $0.number < $1.number }
        (self.runs, self.steps, self.accepted) = (runs, steps, accepted)
    }

    /// What is known to be wrong: of each code, what the last check has found that looked for it.
    var standing: [Finding] {
        codes.flatMap { code in
            checks.last { $0.looked(for: code) }?.findings.filter { $0.code == code } ?? []
        }
    }

    /// Whether there are codes that no check has looked for, as far as is known: each looked for some alone.
    var isPartial: Bool {
        !checks.isEmpty && checks.allSatisfy { $0.codes != nil }
    }

    /// The codes that any of the checks found, with errors first.
    var codes: [String] {
        var errors: [String: Bool] = [:]
        for finding in checks.flatMap(\.findings) { errors[finding.code, default: false] = finding.isError }
        return errors.keys.sorted { (errors[$0] == true ? 0 : 1, $0) < (errors[$1] == true ? 0 : 1, $1) }
    }
}

extension ReportData.Check {
    /// Whether it says something of a code.
    func looked(for code: String) -> Bool { codes?.contains(code) ?? true }

    /// How many documents have a finding.
    func count(of code: String) -> Int { findings.reduce(0) { $1.code == code ? $0 + $1.count : $0 } }
}
