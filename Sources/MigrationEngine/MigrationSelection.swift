internal import BSON
internal import Journal

/// The steps that a request is about, in the order in which they will be worked on, with the ledger by which they were
/// chosen: it is read once for all that follows.
package struct MigrationSelection: Sendable {
    /// The steps.
    package private(set) var steps: [any Migration]
    /// The ledger's rows of the series.
    let rows: [Int64: LedgerRow]
    private let chosen = ContinuousClock.now

    /// For how long what was found of the data stands, as that of a catalogue does.
    private static let lifetime = Duration.seconds(3)

    init(_ steps: [any Migration], rows: [Int64: LedgerRow]) {
        self.steps = steps
        self.rows = rows
    }

    /// Whether there is nothing to do.
    package var isEmpty: Bool { steps.isEmpty }

    /// The number of steps.
    package var count: Int { steps.count }

    /// The same without the steps that a condition leaves out.
    package func filter(_ isIncluded: (any Migration) -> Bool) -> MigrationSelection {
        var selection = self
        selection.steps = steps.filter(isIncluded)
        return selection
    }

    /// Whether what was found out for this selection a moment ago stands for another one.
    package func stands(for other: MigrationSelection) -> Bool {
        ContinuousClock.now - chosen < Self.lifetime && rows == other.rows
            && steps.map(\.version) == other.steps.map(\.version)
    }
}
