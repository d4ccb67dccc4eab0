public import Journal

/// A command of a step's file that failed, or that can't be resumed.
public struct CommandFailure: AdvisingError {
    /// The command's place in the file, from 1.
    public let position: Int
    /// How many commands the file has.
    public let count: Int
    /// The command's name and collection.
    public let command: String
    /// What went wrong.
    public let underlying: any Error

    /// One sentence.
    public var sentence: Sentence { "command \(position) of \(count) (\(command)): \(underlying)" }
}

extension CommandFailure: UndecidedError {
    package var isUndecided: Bool { underlying.leavesUndecided }
}
