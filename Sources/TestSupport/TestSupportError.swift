/// Something that the tests' own surroundings lack or did wrong, in words.
package struct TestSupportError: Error, Sendable, CustomStringConvertible {
    /// What happened, and what to do about it where something can be done.
    package let description: String

    /// Makes an error of a sentence.
    package init(_ description: String) { self.description = description }
}
