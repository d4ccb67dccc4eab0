public import BSON
internal import MongoDriver

extension Run {
    /// Creates an empty collection, journalled.
    ///
    /// - Throws: `MongoError`, ``EngineError``.
    public func createCollection(_ collection: String) async throws {
        let entries = makeEntries([(collection, "create collection", .collection, nil)])
        try await append(entries)
        do {
            try await changeCatalog(CatalogCommand.create(collection))
        } catch let error as MongoError where error.kind == .unauthorized {
            try await setState(.abandoned, of: entries)
            throw error
        } catch let error as MongoError where error.code == MongoError.ServerCode.namespaceExists {
            // Somebody was faster: it isn't ours to drop.
            try await setState(.abandoned, of: entries)
            return
        }
        count(entries[0], 1)
        try await setState(.done, of: entries)
    }

    /// Sets a collection's validator, journalled with the one that was there.
    ///
    /// - Parameters:
    ///   - options: `validator`, `validationLevel` and `validationAction`.
    ///   - collection: The collection, which must exist.
    /// - Throws: `MongoError`, ``EngineError``.
    public func setValidator(_ options: BSONDocument, on collection: String) async throws {
        let before = try await validatorOptions(of: collection)
        // What isn't named becomes the server's default, which the journal has to know to recognise it later.
        let options = ValidatorOptions.completed(options)
        guard before != options else { return }
        let entries = makeEntries([(collection, "validator", .validator(before: before, after: options), nil)])
        try await append(entries)
        do {
            try await changeCatalog(CatalogCommand.collMod(collection, options))
        } catch let error as MongoError where error.isRefusal {
            try await setState(.abandoned, of: entries)
            throw error
        }
        count(entries[0], 1)
        try await setState(.done, of: entries)
    }

    /// Creates those of the indexes that aren't there, journalled.
    ///
    /// - Parameters:
    ///   - indexes: As `createIndexes` takes them, each with `key` and `name`.
    ///   - collection: The collection.
    /// - Throws: `MongoError`, ``EngineError``.
    public func createIndexes(_ indexes: [BSONDocument], on collection: String) async throws {
        let present = try await database.client.listIndexes(database.namespace(collection))
        let collation = try await database.client.listCollections(database.name)[collection]?.collation
        let missing = indexes.filter { wanted in
            !present.contains { IndexMatch.serves($0, wanted, collation: collation) }
        }
        for index in missing {
            let entries = makeEntries([(collection, "create index", .indexes([index]), nil)])
            try await append(entries)
            do {
                try await changeCatalog(CatalogCommand.createIndexes(collection, [index]))
            } catch let error as MongoError where error.isRefusal {
                try await setState(.abandoned, of: entries)
                throw error
            }
            count(entries[0], 1)
            try await setState(.done, of: entries)
        }
    }

    /// The validator of a collection as the server stores it; empty when there is none.
    func validatorOptions(of collection: String) async throws -> BSONDocument {
        let options = try await database.client.listCollections(database.name)[collection]?.options ?? [:]
        return ValidatorOptions.extract(options)
    }
}

/// Which index can stand in for another.
package enum IndexMatch {
    /// Whether an index that is there does what a wanted one would do: the same keys in the same order, unique if that
    /// is wanted, and over all documents, or at least those that the wanted one covers. A sparse one covers those whose
    /// field is there.
    ///
    /// - Parameters:
    ///   - present: The index that is there, as `listIndexes` describes it.
    ///   - wanted: The index that is wanted.
    ///   - collation: The collection's default collation, which every index made without one has.
    package static func serves(
        _ present: BSONDocument, _ wanted: BSONDocument, collation: BSONDocument?
    ) -> Bool {
        guard sameKey(present, wanted), present["collation"]?.document == collation,
            (present["unique"]?.bool ?? false) == (wanted["unique"]?.bool ?? false)
        else { return false }
        guard let condition = wanted["partialFilterExpression"]?.document else {
            return present["partialFilterExpression"] == nil && !(present["sparse"]?.bool ?? false)
        }
        guard let own = present["partialFilterExpression"]?.document else { return true }
        return own.elements.allSatisfy { isImplied($0, by: condition) }
    }

    /// Whether every document that a condition of an index covers is covered by a part of another's.
    private static func isImplied(_ part: BSONElement, by condition: BSONDocument) -> Bool {
        guard let wanted = condition[part.key] else { return false }
        let meaning = IndexFilter.meaning(of: [part.key: part.value])
        if meaning == IndexFilter.meaning(of: [part.key: wanted]) { return true }
        guard isText(wanted) else { return false }
        // A field that is text is there.
        return isText(part.value) || meaning == IndexFilter.meaning(of: [part.key: ["$exists": true]])
    }

    /// Whether a condition is that a field is text, said in either of two ways.
    private static func isText(_ condition: BSONValue) -> Bool {
        condition == ["$type": "string"] || condition == ["$gte": ""]
    }

    /// Whether an index is one that was asked for, or stands for it in every respect.
    static func stands(_ present: BSONDocument, for asked: BSONDocument, collation: BSONDocument?) -> Bool {
        serves(present, asked, collation: collation)
            && present["partialFilterExpression"]?.document.map(IndexFilter.meaning(of:))
                == asked["partialFilterExpression"]?.document.map(IndexFilter.meaning(of:))
            && !(present["sparse"]?.bool ?? false)
    }

    /// Whether an index that is there is what the server makes of a specification: it adds versions and defaults.
    static func isMade(_ present: BSONDocument, of specification: BSONDocument) -> Bool {
        let asked = specification.elements.filter { $0.key != "key" && !byServer.contains($0.key) }
        return sameKey(present, specification)
            && asked.allSatisfy { present[$0.key] == $0.value }
            && present.keys.allSatisfy { byServer.contains($0) || specification[$0] != nil }
    }

    /// What a server before 5.0 adds to an index, or leaves out, by itself.
    private static let byServer: Set<String> = [
        "v", "ns", "background", "2dsphereIndexVersion", "textIndexVersion", "weights", "default_language",
        "language_override",
    ]

    /// Whether two indexes have the same fields in the same order and direction, whatever number type says so.
    package static func sameKey(_ first: BSONDocument, _ second: BSONDocument) -> Bool {
        guard let first = first["key"]?.document, let second = second["key"]?.document else { return false }
        return first.keys == second.keys
            && first.keys.allSatisfy { key in
                // The direction is a number, or the kind of index is text.
                first[key]?.number.map { $0 == second[key]?.number } ?? (first[key] == second[key])
            }
    }
}

/// The part of a collection's options that says which documents it takes.
package enum ValidatorOptions {
    /// Adds the server's defaults for what isn't named: no validator, level `strict`, action `error`.
    static func completed(_ options: BSONDocument) -> BSONDocument {
        let defaults: [(String, BSONValue)] = [
            ("validator", [:]), ("validationLevel", "strict"), ("validationAction", "error"),
        ]
        return BSONDocument(defaults.map { ($0.0, options[$0.0] ?? $0.1) })
    }

    /// Takes `validator`, `validationLevel` and `validationAction` out of a collection's options.
    package static func extract(_ options: BSONDocument) -> BSONDocument {
        var result: BSONDocument = [:]
        for element in options.rawElements
        where ["validator", "validationLevel", "validationAction"].contains(element.key) {
            result.append(raw: element)
        }
        return result
    }
}
