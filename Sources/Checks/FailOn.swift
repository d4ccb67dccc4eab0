/// What makes a check fail.
package enum FailOn: String, CaseIterable, Sendable {
    /// Any finding that isn't accepted.
    case any
    /// Only what the last recorded check didn't find.
    case new
    /// Nothing that is found.
    case none

    /// How many of a finding's documents count.
    package func count(new: Int, known: Int) -> Int {
        switch self {
        case .any: new + known
        case .new: new
        case .none: 0
        }
    }
}
