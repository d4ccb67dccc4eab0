public import BSON
public import Journal

/// What applying steps, or reverting them, has done.
public struct MigrationResult: Sendable {
    /// The run, by which `chat-admin runs show` and `runs undo` know it; nil where nothing was written.
    public let run: ObjectID?
    /// The steps that were worked on to their end, in order.
    public let steps: [StepResult]
    /// What was changed.
    public let changes: [Change]
    /// What was left as it was, and why.
    public let leftovers: [Leftover]

    init(_ run: Run, _ steps: [StepResult]) {
        self.run = run.record.exists ? run.id : nil
        self.steps = steps
        changes = run.totals.changes
        leftovers = run.totals.leftovers
    }
}

/// What went wrong, and what was done before it did. All of it is in the journal, and the next run resumes.
///
/// ```swift
/// do {
///     try await shop.up()
/// } catch let failure as MigrationFailure {
///     print("\(failure.done.steps.count) steps were applied before this: \(failure)")
/// }
/// ```
public struct MigrationFailure: AdvisingError {
    /// What was done.
    public let done: MigrationResult
    /// What went wrong.
    public let underlying: any Error

    /// What went wrong, in words.
    public var sentence: Sentence { Sentence(of: underlying) }
}
