internal import Journal

/// What would help where something can't be seeded.
package enum SeedAdvice: Advice, Hashable {
    /// Let passwords be set anew.
    case resetPasswords
    /// Let what differs be changed.
    case update
    /// Make anew what was seeded.
    case reset

    /// The advice as a clause.
    package var words: String {
        switch self {
        case .resetPasswords: "the password can be set anew"
        case .update: "it can be changed"
        case .reset: "it can be made anew"
        }
    }
}
