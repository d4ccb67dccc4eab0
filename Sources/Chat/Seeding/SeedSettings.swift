/// What decides how a set of documents is seeded.
package struct SeedSettings: Sendable {
    /// Whether the passwords of users who have another one are set.
    package var resetsPasswords = false
    /// Whether what differs is changed, passwords excepted.
    package var updates = false
    /// What random choices, and salts, begin with.
    package var seed: UInt64 = 0
    /// What is taken for now, in milliseconds since 1970.
    package var now: Int64
    /// Whether that was said: then times that are counted back from it are compared, too.
    package var isNowGiven = false

    /// The defaults: nothing that is there is changed.
    package init(now: Int64) { self.now = now }
}
