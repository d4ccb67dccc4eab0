package import BSON
package import Journal

/// A finding, or some of its documents, that somebody has accepted: it doesn't make a check fail until a date.
package struct Acceptance: Sendable {
    /// Its number, by which people name it.
    package var number: Int64
    /// The finding's code.
    package let code: String
    /// The collection; nil for all.
    package let collection: String?
    /// The field; nil for all.
    package let field: String?
    /// The documents, by what a finding calls its subjects; nil for all, also those to come.
    package let subjects: [BSONValue]?
    /// Why.
    package let reason: String
    /// Until when, in milliseconds since 1970; nil for ever.
    package let until: Int64?
    /// When it was accepted, and by whom.
    package let at: Int64
    package let user: String

    /// Accepts a finding.
    package init(
        code: String, collection: String?, field: String?, subjects: [BSONValue]?, reason: String, until: Int64?,
        at: Int64, user: String
    ) {
        number = 1
        (self.code, self.collection, self.field, self.subjects) = (code, collection, field, subjects)
        (self.reason, self.until, self.at, self.user) = (reason, until, at, user)
    }

    /// Whether it holds at a moment.
    package func holds(at now: Int64) -> Bool { until.map { now < $0 } ?? true }

    /// The documents as people name them: a text of 24 digits that was meant as an ObjectId stands for both, and is told once.
    package var documents: [BSONValue]? {
        guard let subjects else { return nil }
        let texts = Set(subjects.compactMap { $0.objectID.map { BSONValue.string($0.hex) } })
        return subjects.filter { !texts.contains($0) }
    }

    /// What it is about, as people write it: `CODE[:COLLECTION[.FIELD]]`.
    package var subject: String {
        code + (collection.map { ":\($0)" } ?? "") + (field.map { ".\($0)" } ?? "")
    }

    /// Whether it is about a finding.
    package func isAbout(_ name: FindingName) -> Bool {
        code == name.code && collection ?? name.collection == name.collection && (field ?? name.field) == name.field
    }
}

extension Acceptance {
    /// What marks one among the documents of `chat_admin.checks`.
    static let kind = "acceptance"

    /// As it is kept.
    package var document: BSONDocument {
        var document: BSONDocument = [
            "_id": .string("\(Self.kind)/\(number)"), "kind": .string(Self.kind), "number": .int64(number),
            "code": .string(code),
            "reason": .string(reason), "at": .date(at), "user": .string(user),
        ]
        if let collection { document.append("collection", .string(collection)) }
        if let field { document.append("field", .string(field)) }
        if let subjects { document.append("subjects", .array(BSONArray(subjects))) }
        if let until { document.append("until", .date(until)) }
        return document
    }

    /// Reads one.
    ///
    /// - Throws: `StateError` where it isn't as this tool writes them.
    package init(reading document: BSONDocument) throws(StateError) {
        let fields = StateFields(StateCollection.checks, document)
        number = try fields.require("number", .count)
        code = try fields.require("code", .text)
        collection = try fields.read("collection", .text)
        field = try fields.read("field", .text)
        subjects = try fields.read("subjects", .array)
        reason = try fields.require("reason", .text)
        until = try fields.read("until", .date)
        at = try fields.require("at", .date)
        user = try fields.require("user", .text)
    }
}
