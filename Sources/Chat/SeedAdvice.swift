internal import Journal

/// What would help where a user can't be seeded.
package enum SeedAdvice: Advice, Hashable {
    /// Let passwords be set anew.
    case resetPasswords

    /// The advice as a clause.
    package var words: String { "the password can be set anew" }
}
