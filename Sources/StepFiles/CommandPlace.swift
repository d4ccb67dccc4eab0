internal import Journal
internal import MigrationEngine

/// Where a command stands in a step's file, as the journal's entries carry it.
struct CommandPlace {
    /// The command's index, from 0.
    let index: Int
    /// Whether an earlier attempt may have begun it.
    let isResumed: Bool
    private var statementNumber = 0

    init(index: Int, isResumed: Bool) {
        self.index = index
        self.isResumed = isResumed
    }

    func statement(_ number: Int) -> CommandPlace {
        var place = self
        place.statementNumber = number
        return place
    }

    func journalPlace(isRetry: Bool = false) -> JournalPlace { JournalPlace(position: number, isRetry: isRetry) }

    var number: Int64 { StepCheckpoint.numbers(ofCommand: index).lowerBound + Int64(statementNumber) }
}
