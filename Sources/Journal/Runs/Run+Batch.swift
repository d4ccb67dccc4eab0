internal import BSON
internal import MongoDriver

/// Changing many documents with one statement, each by its own compare-and-set.
///
/// A filter and an update for every document cost the server more to parse and to plan than to carry out. Here one
/// pipeline serves a few hundred: it looks a document's observed and wanted values up in a list by the document's `_id`,
/// compares value and type, and leaves the document as it is where they differ. The server's count of modified documents
/// says how many were as they had been observed.
extension Run {
    /// Fewer changes are sent as single updates.
    private static let fewest = 8
    /// The lookup goes through a statement's list, so longer lists cost more than fewer statements save (measured on
    /// MongoDB 6.0: 100 or 250 take 19 µs a document, 4,000 take 40).
    static let perStatement = 100
    /// Larger changes are sent one by one: a statement must stay far below the server's 16 MiB.
    private static let largestChange = 8 << 10

    /// What became of changes that were to be made together.
    enum Together {
        /// They aren't of a form that one statement can make: nothing was sent.
        case notSent
        /// So many were made; the others' documents had changed, or were of a form that has to be changed singly.
        case made(Int)
        /// The server refused one of them; others may have been made.
        case refused
    }

    /// Makes changes by compare-and-set, if they are of a form that one statement can make.
    ///
    /// - Throws: `MongoError`, unless the server refuses a change.
    func changeTogether(
        _ changes: [FieldChange], in collection: String, _ concern: WriteConcern, bypassesValidation: Bool
    ) async throws -> Together {
        guard changes.count >= Self.fewest, let statements = statements(changes) else { return .notSent }
        let reply = try await update(
            statements, in: collection, concern, bypassesValidation: bypassesValidation)
        // A validator or a unique key: one by one tells which document it is about.
        guard let reply else { return .refused }
        return .made(Int(reply["nModified"]?.integer ?? 0))
    }

    /// Sends statements of an update, of which each is carried out whatever becomes of the others.
    ///
    /// - Returns: The server's reply; nil where it refused one of the changes, and others may have been made.
    func update(
        _ statements: [BSONValue], in collection: String, _ concern: WriteConcern, bypassesValidation: Bool = false
    ) async throws -> BSONDocument? {
        var command: BSONDocument = [
            "update": .string(collection), "updates": .array(BSONArray(statements)), "ordered": false,
        ]
        if bypassesValidation { command.append("bypassDocumentValidation", true) }
        do {
            return try await writer.run(command, on: database.name, concern: concern)
        } catch let error as MongoError where error.isRefusal && error.kind != .unauthorized {
            return nil
        }
    }

    /// - Returns: nil where they aren't of a form that few statements can make.
    private func statements(_ changes: [FieldChange]) -> [BSONValue]? {
        if Self.areRemovals(changes) {
            return Self.statements(makingAlike: changes, ["$expr": Self.hasEachFieldOnce])
        }
        guard database.canChangeAnythingByPipeline, let names = Self.commonNames(changes) else { return nil }
        return stride(from: 0, to: changes.count, by: Self.perStatement).map { start in
            Self.statement(changes[start..<min(start + Self.perStatement, changes.count)], names)
        }
    }

    /// Whether all take the same fields away, and do nothing else: what an undo makes of fields that a step has set.
    private static func areRemovals(_ changes: [FieldChange]) -> Bool {
        guard let names = changes.first.map({ Set($0.before.keys) }), names.allSatisfy(ExactMatch.isPath) else {
            return false
        }
        return changes.allSatisfy { change in
            // Text in an _id may be ordered by the collection's collation, where the hint finds nothing by it.
            [.objectID, .int32, .int64].contains(change.id.type) && change.after.isEmpty
                && Set(change.before.keys) == names && change.before.byteCount <= largestChange
        }
    }

    /// The fields that all of some changes are about; nil where they differ, where one is to be removed, where a name
    /// would mean a path, or where a document isn't found by an ObjectId.
    private static func commonNames(_ changes: [FieldChange]) -> [String]? {
        guard let names = changes.first?.after.keys, names.allSatisfy(ExactMatch.isPath)
        else { return nil }
        let isUniform = changes.allSatisfy { change in
            change.id.type == .objectID && change.after.keys == names && change.before.keys.allSatisfy(names.contains)
                && change.before.byteCount + change.after.byteCount <= largestChange
                // The server ends itself over these too: see `hasEachFieldOnce`, which sees the outermost names alone.
                && !change.before.repeatsNames && !change.after.repeatsNames
        }
        return isUniform ? names : nil
    }

    private static func statement(_ changes: ArraySlice<FieldChange>, _ names: [String]) -> BSONValue {
        let ids = BSONValue.array(BSONArray(changes.map(\.id)))
        let isAsObserved = isAsObserved(changes, names)
        let position = position(in: ids)
        let stage: BSONValue
        if let name = names.first, names.count == 1 {
            // Setting one field costs the server less than replacing the document.
            let wanted = BSONArray(changes.map { $0.after[name] ?? .null })
            let value: BSONValue = ["$cond": [isAsObserved, lookup(wanted), .string("$" + name)]]
            stage = ["$set": .document([name: ["$let": ["vars": ["i": position], "in": value]]])]
        } else {
            let wanted = BSONArray(changes.map { .document($0.after) })
            let document: BSONValue = [
                "$cond": [isAsObserved, ["$mergeObjects": ["$$ROOT", lookup(wanted)]], "$$ROOT"]
            ]
            stage = ["$replaceWith": ["$let": ["vars": ["i": position], "in": document]]]
        }
        return [
            "q": ["_id": ["$in": ids], "$expr": hasEachFieldOnce], "u": [stage], "multi": true, "hint": ["_id": 1],
            "collation": .document(ExactMatch.collation),
        ]
    }

    /// Leaves out documents in which a field occurs twice, as drivers in C, Go or Java can write them: the server ends
    /// itself (6.0.5: "Invariant failure", document_diff_serialization.cpp) when a pipeline changes such a field. Merging
    /// a document into an empty one keeps each field once, so its size tells.
    private static let hasEachFieldOnce: BSONValue = [
        "$eq": [["$bsonSize": "$$ROOT"], ["$bsonSize": ["$mergeObjects": ["$$ROOT", [:]]]]]
    ]

    /// Whether the document at hand has the fields that were observed of it.
    ///
    /// - Parameter ids: The `_id`s of the changes.
    static func areAsObserved(_ changes: ArraySlice<FieldChange>, _ names: [String], _ ids: BSONValue) -> BSONValue {
        ["$let": ["vars": ["i": position(in: ids)], "in": isAsObserved(changes, names)]]
    }

    private static func isAsObserved(_ changes: ArraySlice<FieldChange>, _ names: [String]) -> BSONValue {
        let observed = BSONArray(changes.map { .array(BSONArray(comparison($0.before, names))) })
        return ["$eq": [current(names), lookup(observed)]]
    }

    /// Whether the document at hand has these fields as they were observed.
    static func isAsObserved(_ fields: BSONDocument, _ names: [String]) -> BSONValue {
        ["$eq": [current(names), ["$literal": .array(BSONArray(comparison(fields, names)))]]]
    }

    private static func current(_ names: [String]) -> BSONValue {
        .array(
            BSONArray(
                names.flatMap { name -> [BSONValue] in
                    let path = BSONValue.string("$" + name)
                    return [path, ["$type": path]]
                }))
    }

    private static func position(in ids: BSONValue) -> BSONValue { ["$indexOfArray": [["$literal": ids], "$_id"]] }

    /// The element of a list that belongs to the document at hand.
    private static func lookup(_ list: BSONArray) -> BSONValue {
        ["$arrayElemAt": [["$literal": .array(list)], "$$i"]]
    }

    /// Values and types side by side, as the pipeline sees them: a field that is absent is null within an array, and its
    /// type is `missing`.
    private static func comparison(_ fields: BSONDocument, _ names: [String]) -> [BSONValue] {
        names.flatMap { name -> [BSONValue] in
            let value = fields[name]
            return [value ?? .null, .string(value?.type.alias ?? "missing")]
        }
    }
}
