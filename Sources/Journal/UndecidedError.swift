/// An error that may leave open whether a change was made.
package protocol UndecidedError: Error {
    /// Whether it does: nothing tells, so trying again doesn't help.
    var isUndecided: Bool { get }
}

extension Error {
    /// Whether the error leaves open whether a change was made.
    package var leavesUndecided: Bool { (self as? any UndecidedError)?.isUndecided ?? false }
}
