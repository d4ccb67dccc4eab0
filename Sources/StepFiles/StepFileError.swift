public import Journal

/// Why a step's file, or a directory of them, can't be used. ``description`` says where, what, and what to do.
public struct StepFileError: AdvisingError, Sendable {
    /// The class of the error.
    public enum Kind: Sendable {
        /// It can't be read, or written.
        case inputOutput
        /// It isn't what it has to be.
        case malformed
    }

    /// The class of the error.
    public let kind: Kind
    /// The file or directory.
    public let path: String
    /// What is wrong, in words, without a full stop.
    public let reason: Sentence

    /// Describes an error.
    public init(_ kind: Kind, path: String, reason: Sentence) {
        self.kind = kind
        self.path = path
        self.reason = reason
    }

    /// One sentence.
    public var sentence: Sentence { "\(path): \(reason)." }
}
