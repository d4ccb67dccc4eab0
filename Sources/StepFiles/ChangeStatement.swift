package import BSON

/// One statement of an `update`, `delete` or `findAndModify` command.
package struct ChangeStatement: Sendable {
    /// Which documents.
    package let filter: BSONDocument
    /// The operators, the replacement, or the pipeline; nil where the documents are deleted.
    package let update: BSONValue?
    /// Whether it is about every document that matches, or the first one.
    package let isMulti: Bool
    /// Whether a document is inserted where none matches.
    package let isUpsert: Bool
    /// Which document is the first one.
    package let sort: BSONDocument?
    /// How text is compared.
    package let collation: BSONDocument?
    /// What else the statement says about its update: `arrayFilters`, `c`.
    package let rest: BSONDocument
    /// The command's `let`.
    package let variables: BSONValue?

    init?(update statement: BSONDocument, variables: BSONValue?) {
        guard let filter = statement["q"]?.document, let update = statement["u"],
            Self.has(statement, only: ["q", "u", "multi", "upsert", "arrayFilters", "c", "collation", "hint"]),
            Self.areBool(["multi", "upsert"], in: statement)
        else { return nil }
        self.init(
            filter: filter, update: update, isMulti: statement["multi"]?.bool ?? false,
            isUpsert: statement["upsert"]?.bool ?? false, sort: nil, collation: statement["collation"]?.document,
            rest: Self.part(["arrayFilters", "c"], of: statement), variables: variables)
    }

    init?(delete statement: BSONDocument, variables: BSONValue?) {
        guard let filter = statement["q"]?.document, let limit = statement["limit"]?.integer, limit == 0 || limit == 1,
            Self.has(statement, only: ["q", "limit", "collation", "hint"])
        else { return nil }
        self.init(
            filter: filter, update: nil, isMulti: limit == 0, isUpsert: false, sort: nil,
            collation: statement["collation"]?.document, rest: [:], variables: variables)
    }

    init?(findAndModify command: BSONDocument, name: String) {
        let removes = command["remove"]?.bool ?? false
        let known: Set<String> = [
            name, "query", "sort", "remove", "update", "new", "fields", "upsert", "arrayFilters", "collation", "hint",
            "let", "writeConcern", "comment", "maxTimeMS",
        ]
        guard removes != (command["update"] != nil), Self.has(command, only: known),
            Self.areBool(["remove", "upsert", "new"], in: command)
        else { return nil }
        self.init(
            filter: command["query"]?.document ?? [:], update: command["update"], isMulti: false,
            isUpsert: command["upsert"]?.bool ?? false, sort: command["sort"]?.document,
            collation: command["collation"]?.document, rest: Self.part(["arrayFilters"], of: command),
            variables: command["let"])
    }

    private init(
        filter: BSONDocument, update: BSONValue?, isMulti: Bool, isUpsert: Bool, sort: BSONDocument?,
        collation: BSONDocument?, rest: BSONDocument, variables: BSONValue?
    ) {
        self.filter = filter
        self.update = update
        self.isMulti = isMulti
        self.isUpsert = isUpsert
        self.sort = sort
        self.collation = collation
        self.rest = rest
        self.variables = variables
    }

    private static func has(_ document: BSONDocument, only keys: Set<String>) -> Bool {
        document.keys.allSatisfy(keys.contains)
    }

    /// Whether fields are true or false, where they are there: the server takes numbers for some, and refuses them for
    /// others.
    private static func areBool(_ keys: [String], in document: BSONDocument) -> Bool {
        keys.allSatisfy { document[$0].map { $0.bool != nil } ?? true }
    }

    private static func part(_ keys: [String], of document: BSONDocument) -> BSONDocument {
        BSONDocument(keys.compactMap { key in document[key].map { (key, $0) } })
    }

    /// Whether the filter matches every document, however it says so.
    package var matchesAll: Bool { Self.isEmpty(filter) }

    private static func isEmpty(_ filter: BSONDocument) -> Bool {
        filter.elements.allSatisfy { element in
            switch element.key {
            case "$comment": true
            case "$and": element.value.array?.values.allSatisfy { $0.document.map(isEmpty) ?? false } ?? false
            case "$or": element.value.array?.values.contains { $0.document.map(isEmpty) ?? false } ?? false
            case "$alwaysTrue": true
            case "$expr": element.value.bool == true || (element.value.number.map { $0 != 0 } ?? false)
            // Every document has an `_id`. JavaScript can't be told from `true`.
            case "_id": element.value.document?.elements.allSatisfy(matchesEveryID) ?? false
            case "$where": true
            default: false
            }
        }
    }

    private static func matchesEveryID(_ condition: BSONElement) -> Bool {
        switch (condition.key, condition.value) {
        case ("$exists", _), ("$ne", _): true
        case ("$gte", .minKey), ("$gt", .minKey), ("$lte", .maxKey), ("$lt", .maxKey): true
        case ("$nin", let list): list.array?.values.isEmpty ?? false
        default: false
        }
    }

    /// Whether the filter can be carried out only by an index, which a copy of the documents hasn't.
    var needsIndex: Bool { Self.hasOperator(["$text", "$near", "$nearSphere"], .document(filter)) }

    private static func hasOperator(_ names: Set<String>, _ value: BSONValue) -> Bool {
        switch value {
        case .document(let document):
            document.elements.contains { names.contains($0.key) || hasOperator(names, $0.value) }
        case .array(let array): array.values.contains { hasOperator(names, $0) }
        default: false
        }
    }

    /// Whether the update puts another document in the place of each: a replacement, or a pipeline that makes one.
    package var isReplacement: Bool {
        switch update {
        case .document(let update)?: !(update.keys.first?.hasPrefix("$") ?? false)
        case .array(let stages)?:
            stages.values.contains { stage in
                ["$replaceWith", "$replaceRoot", "$project"].contains(stage.document?.keys.first ?? "")
            }
        default: false
        }
    }
}
