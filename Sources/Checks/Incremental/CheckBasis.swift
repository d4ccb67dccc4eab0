package import BSON
package import Consistency
internal import Journal

/// What a later check has to know of a recorded one, to look at what has changed since alone.
package struct CheckBasis: Sendable {
    /// The database's name; nil in what an older version has recorded.
    package let database: String?
    /// When the check began, by the server's clock, in milliseconds since 1970.
    package var begun: Int64
    /// The place in the stream of changes before which it began; nil where there is none.
    package var token: BSONDocument?
    /// The collections' identities: another collection of the same name is another one.
    package var collections: [String: BSONValue]
    /// By collection, where the part ended that was looked at besides; absent where the next part is the first one.
    package var places: [String: BSONValue] = [:]

    /// Describes a check that begins.
    package init(database: String, begun: Int64, token: BSONDocument?, collections: [String: BSONValue]) {
        (self.database, self.begun, self.token, self.collections) = (database, begun, token, collections)
    }
}

/// What an incremental check has looked at.
package struct CheckCoverage: Sendable {
    /// By what it is known what has changed.
    package enum Source: String, Sendable {
        /// The stream of changes of a replica set.
        case changeStream
        /// Indexes: new `_id`s, and the time at which sessions were changed.
        case index
    }

    /// The number of the recorded check since which it looked.
    package let since: Int64
    /// When that ended, in milliseconds since 1970.
    package let sinceAt: Int64
    /// By what it is known what has changed.
    package let source: Source
    /// How many documents had changed, by collection.
    package let changed: [String: Int]
    /// How many documents were looked at besides, as a part of the whole, by collection; empty for none.
    package let slices: [String: Int]

    /// Describes it.
    package init(since record: CheckRecord, _ source: Source, _ touched: TouchedDocuments) {
        (since, sinceAt, self.source) = (record.number, record.at, source)
        changed = touched.ids.mapValues(\.count).filter { $0.value > 0 }
        slices = touched.slices.mapValues(\.count).filter { $0.value > 0 }
    }
}

extension CheckBasis {
    var document: BSONDocument {
        var document: BSONDocument = [
            "begun": .date(begun), "collections": .document(Self.document(collections)),
        ]
        if let database { document.append("database", .string(database)) }
        if let token { document.append("token", .document(token)) }
        if !places.isEmpty { document.append("places", .document(Self.document(places))) }
        return document
    }

    private static func document(_ values: [String: BSONValue]) -> BSONDocument {
        BSONDocument(values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
    }

    init(reading fields: StateFields) throws(StateError) {
        database = try fields.read("database", .text)
        begun = try fields.require("begun", .date)
        token = try fields.read("token", .document)
        collections = Self.values(try fields.require("collections", .document))
        places = Self.values(try fields.read("places", .document) ?? [:])
    }

    private static func values(_ document: BSONDocument) -> [String: BSONValue] {
        Dictionary(document.elements.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    }
}

extension CheckCoverage {
    var document: BSONDocument {
        var document: BSONDocument = [
            "since": .int64(since), "sinceAt": .date(sinceAt), "by": .string(source.rawValue),
            "changed": .document(Self.document(changed)),
        ]
        if !slices.isEmpty { document.append("slice", .document(Self.document(slices))) }
        return document
    }

    private static func document(_ counts: [String: Int]) -> BSONDocument {
        BSONDocument(counts.sorted { $0.key < $1.key }.map { ($0.key, .int64(Int64($0.value))) })
    }
}
