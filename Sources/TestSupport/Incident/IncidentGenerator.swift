package import BSON

/// A damaged chat database of any size, made from a seed, with the truth about it.
///
/// A right database is made first, in the application's own shapes but of great variety, and then damaged as the bug and
/// its aftermath do. The same seed and sizes give the same bytes; how often each kind of damage happens is drawn from
/// the seed too, so that databases differ in kind and not only in detail.
///
///     let incident = IncidentGenerator(seed: 1, sessions: 60, messages: 900)
///     try await database.load(incident.collections)
///     // repair
///     let violations = try await incident.truth.verify(database)
package struct IncidentGenerator: Sendable {
    /// The damaged documents, in the order in which they are to be inserted.
    package let collections: [String: [BSONDocument]]
    /// What is wrong with them, and what must become of them.
    package let truth: IncidentTruth

    /// Makes a database.
    ///
    /// - Parameters:
    ///   - seed: Which one.
    ///   - sessions: How many sessions.
    ///   - messages: How many messages, those included that belong to no session.
    package init(seed: UInt64, sessions: Int, messages: Int) {
        var builder = IncidentBuilder(seed: seed)
        builder.makeUsers(max(4, sessions / 5))
        builder.makeSessions(sessions)
        builder.makeMessages(messages)
        builder.makeArtifacts(max(sessions / 10, 6))
        let documents = builder.finished()
        collections = documents.mapValues { $0.map(\.original) }
        truth = IncidentTruth(documents)
    }
}
