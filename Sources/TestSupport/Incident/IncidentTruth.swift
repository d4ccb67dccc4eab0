package import BSON

/// What a damaged database must look like when it has been repaired, document by document, and what a check must find in
/// it before.
///
/// It is recorded while the damage is done (``IncidentGenerator``), so it doesn't rest on any repair's own judgement.
package struct IncidentTruth: Sendable {
    /// How many findings of a code a check must report, by collection: `findings["id.empty"]?["messages"]`.
    /// Codes and collections without any are absent.
    ///
    /// It knows `id.empty`, `id.null`, `id.string`, `ref.empty`, `ref.string`, `ref.missing`, `ref.dangling`,
    /// `field.missing`, `user.duplicate`, `user.lookalike` (the number of users who share something) and `user.password`.
    package let expectedFindings: [String: [String: Int]]
    /// What of these findings is still there after the repair, because nobody could mend it without guessing.
    package let expectedLeftovers: [String: [String: Int]]
    /// Every document of the damaged database, by collection.
    let documents: [String: [ExpectedDocument]]

    /// The field of each collection that no two documents share and no repair touches.
    package static let naturalKeys = ["chat_sessions": "title", "messages": "content", "artifacts": "name"]

    init(_ documents: [String: [ExpectedDocument]]) {
        self.documents = documents
        expectedFindings = ExpectedFindings.counts(in: documents.mapValues { $0.map(\.original) })
        expectedLeftovers = ExpectedFindings.counts(in: Self.repaired(documents))
    }

    /// The documents of the damaged database, by collection.
    package var damaged: [String: [BSONDocument]] { documents.mapValues { $0.map(\.original) } }
}
