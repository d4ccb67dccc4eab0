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

    /// More than the statements that one command of the server may have (100,000).
    private static let statements: Int64 = 1 << 20

    /// The numbers of all statements of a command.
    static func numbers(ofCommand index: Int) -> Range<Int64> {
        Int64(index) * statements..<Int64(index + 1) * statements
    }

    func journalPlace(isRetry: Bool = false) -> JournalPlace { JournalPlace(position: number, isRetry: isRetry) }

    var number: Int64 { Int64(index) * Self.statements + Int64(statementNumber) }
}
