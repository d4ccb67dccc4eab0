internal import Journal
internal import MongoDriver

extension Database {
    /// How long an index may be there for the one and not for the other.
    private static let patience = Duration.seconds(10)

    /// Looks at something by indexes; again where one isn't there any more, or not yet.
    ///
    /// Somebody may drop it, or its database one collection after another. And one that was made a moment ago stands in the
    /// catalogue already, while a read of what a majority has doesn't know it yet.
    ///
    /// - Throws: `MongoError`, and what the closure throws.
    func again(whereIndexIsGone look: () async throws -> Void) async throws {
        let deadline = ContinuousClock.now + Self.patience
        var pause = Duration.milliseconds(10)
        while true {
            do {
                return try await look()
            } catch let error as MongoError where error.isOfLostIndex && ContinuousClock.now < deadline {
                forgetCatalog()
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .milliseconds(500))
            }
        }
    }
}

extension MongoError {
    /// "hint provided does not correspond to an existing index", in the words of each version.
    var isOfLostIndex: Bool { code == ServerCode.badValue }
}
