internal import Journal

/// What would help where something can't be seeded.
package enum SeedAdvice: Advice, Hashable {
    /// Let passwords be set anew.
    case resetPasswords
    /// Let what differs be changed.
    case update

    /// The advice as a clause.
    package var words: String {
        switch self {
        case .resetPasswords: "the password can be set anew"
        case .update: "it can be changed"
        }
    }
}
