package import Journal

/// A command of a step's file that failed, or that can't be resumed.
package struct CommandFailure: AdvisingError {
    /// The command's place in the file, from 1.
    package let position: Int
    /// How many commands the file has.
    package let count: Int
    /// The command's name and collection.
    package let command: String
    /// What went wrong.
    package let underlying: any Error

    /// One sentence.
    package var sentence: Sentence { "command \(position) of \(count) (\(command)): \(underlying)" }
}

extension CommandFailure: UndecidedError {
    package var isUndecided: Bool { underlying.leavesUndecided }
}
