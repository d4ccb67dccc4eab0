/// What is wrong with bytes that were to be a BSON document.
public struct BSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The stable code of the error.
    public let kind: Kind

    /// Where the error is: the number of bytes in front of it, counted from the start of the outermost document.
    public let offset: Int

    /// The error as a sentence. It holds numbers and type bytes only, never a part of the data.
    public let reason: String

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - kind: The stable code.
    ///   - offset: The number of bytes in front of the error.
    ///   - reason: A sentence that holds no data of the document.
    public init(_ kind: Kind, at offset: Int, _ reason: String) {
        self.kind = kind
        self.offset = offset
        self.reason = reason
    }

    /// The offset, the code and the sentence in one line.
    public var description: String {
        "Invalid BSON at byte \(offset) (\(kind.rawValue)): \(reason)"
    }
}
