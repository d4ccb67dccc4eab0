internal import BSON
internal import MongoDriver

/// Making an entry's changes on the server itself: it reads them from the journal, where they are already, and merges
/// them into the collection with the comparison in the merge's own pipeline. Nothing crosses the wire a second time, and
/// the server parses one pipeline instead of a filter and an update for every document.
extension Run {
    /// Fewer changes are sent as single updates: a pipeline costs more than it saves then.
    private static let fewestMerged = 16

    /// Makes an entry's changes by compare-and-set, if they are of a form that a merge can make.
    ///
    /// - Returns: Whether the server made them, as far as each document still was as it was observed. False leaves
    ///   some of them to be made; those that were made already don't match any more.
    /// - Throws: `MongoError`, unless the server refuses to merge.
    func merge(_ entry: JournalEntry, bypassesValidation: Bool) async throws -> Bool {
        let changes = entry.fieldChanges
        guard changes.count >= Self.fewestMerged, let names = Self.mergedNames(changes) else { return false }
        let pipeline: [BSONValue] = [
            ["$match": ["_id": entry.key.value]],
            ["$unwind": "$items"],
            ["$replaceWith": ["_id": "$items.id", "before": "$items.before", "after": "$items.after"]],
            [
                "$merge": [
                    "into": .string(entry.collection), "on": "_id", "whenNotMatched": "discard",
                    "whenMatched": [["$replaceWith": Self.merged(names)]],
                ]
            ],
        ]
        var command: BSONDocument = [
            "aggregate": .string(StateCollection.journal), "pipeline": .array(BSONArray(pipeline)), "cursor": [:],
            "collation": .document(ExactMatch.collation),
            "writeConcern": .document(WriteConcern.majorityJournaled.document),
        ]
        if bypassesValidation { command.append("bypassDocumentValidation", true) }
        do {
            try await writer.run(command, on: database.name)
            return true
        } catch let error as MongoError where error.isRefusal && error.kind != .unauthorized {
            // A validator, or a collation that the merge can't follow: one by one tells which document it is about.
            return false
        }
    }

    /// The fields that all of some changes are about; nil where they differ, where one is to be removed, or where a
    /// name would mean a path.
    private static func mergedNames(_ changes: [FieldChange]) -> [String]? {
        guard let names = changes.first?.after.keys, names.allSatisfy({ !$0.contains(".") && !$0.hasPrefix("$") })
        else { return nil }
        let isUniform = changes.allSatisfy { change in
            change.after.keys == names && change.before.keys.allSatisfy(names.contains)
        }
        return isUniform ? names : nil
    }

    /// The document with its changes if it is as it was observed, by value and type; else as it is.
    private static func merged(_ names: [String]) -> BSONValue {
        let conditions = names.flatMap { name -> [BSONValue] in
            let path = BSONValue.string("$" + name)
            let observed = BSONValue.string("$$new.before." + name)
            return [["$eq": [path, observed]], ["$eq": [["$type": path], ["$type": observed]]]]
        }
        let isAsObserved: BSONValue = ["$and": .array(BSONArray(conditions))]
        return ["$cond": [isAsObserved, ["$mergeObjects": ["$$ROOT", "$$new.after"]], "$$ROOT"]]
    }
}
