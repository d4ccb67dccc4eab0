internal import Journal
internal import MigrationEngine

/// Where a command stands in a step's file, as the journal's entries carry it.
struct CommandPosition {
    /// The command's index, from 0.
    let index: Int
    /// Whether an earlier attempt may have begun it.
    let isResumed: Bool
    private var statementNumber = 0

    init(index: Int, isResumed: Bool) {
        self.index = index
        self.isResumed = isResumed
    }

    func statement(_ number: Int) -> CommandPosition {
        var position = self
        position.statementNumber = number
        return position
    }

    func journalPosition(isRetry: Bool = false) -> JournalPosition {
        JournalPosition(position: number, isRetry: isRetry)
    }

    var number: Int64 { StepCheckpoint.numbers(ofCommand: index).lowerBound + Int64(statementNumber) }
}
