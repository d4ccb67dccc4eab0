package import Consistency

/// How a check ended, for whoever is told of it besides the person at the terminal.
package struct CheckOutcome: Sendable {
    /// One finding, with what has become of it since the last recorded check.
    package struct Found: Sendable {
        /// What is wrong, and where.
        package let name: FindingName
        /// How bad it is.
        package let severity: Severity
        /// How many documents are concerned, in all and in parts.
        package let count: Int
        package let new: Int
        package let known: Int
        package let accepted: Int
        /// Whether it makes the check fail, by the options it was run with.
        package let fails: Bool

        /// Describes a finding.
        ///
        /// - Parameter comparison: What has become of it.
        package init(_ finding: Finding, _ comparison: CheckComparison.Item, fails: Bool) {
            (name, severity, count) = (FindingName(finding), finding.severity, finding.count)
            (new, known, accepted) = (comparison.new, comparison.known, comparison.accepted)
            self.fails = fails
        }
    }

    /// What the application's own numbers say beside the findings; nil where nobody could look.
    package struct State: Sendable {
        /// How many of this tool's steps are to be applied.
        package let pendingSteps: Int
        /// How many entries of the journal are open.
        package let openEntries: Int
        /// Whether a run is at work.
        package let isLeaseHeld: Bool

        /// Describes the state.
        package init(pendingSteps: Int, openEntries: Int, isLeaseHeld: Bool) {
            (self.pendingSteps, self.openEntries) = (pendingSteps, openEntries)
            self.isLeaseHeld = isLeaseHeld
        }
    }

    /// The database; empty where not even its name was known.
    package var database: String
    /// What was found.
    package var found: [Found] = []
    /// The codes that were looked for.
    package var codes: [FindingCode] = []
    /// What wasn't looked at.
    package var unchecked: [String] = []
    /// Why nothing could be looked at, or the check wasn't kept; nil where it came to its end.
    package var failure: String?
    /// Whether it looked at all: what it found, if so, counts, whatever failed then.
    package var hasLooked = false
    /// Documents that were right again.
    package var resolved = 0
    /// The number of documents looked at, by collection.
    package var sizes: [String: Int] = [:]
    /// How long it took, in milliseconds.
    package var durationMS: Int64 = 0
    package var state: State?

    /// An outcome that nothing is known of yet.
    package init(database: String) { self.database = database }

    /// Whether everything was looked at, and kept where that was asked for.
    package var isComplete: Bool { hasLookedAtAll && failure == nil }

    /// Whether nothing was left out, whatever failed then.
    var hasLookedAtAll: Bool { hasLooked && unchecked.isEmpty }

    /// Documents found for the first time.
    package var new: Int { found.reduce(0) { $0 + $1.new } }

    /// Whether a person wants to be told: something is new or right again, or nobody knows.
    package var isNews: Bool { !isComplete || new > 0 || resolved > 0 }
}
