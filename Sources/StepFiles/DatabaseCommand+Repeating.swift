internal import BSON
internal import Journal
internal import MongoDriver

extension DatabaseCommand {
    /// Whether the journal holds images of what was there before it, which entries of changes are made from.
    var keepsImages: Bool {
        switch kind {
        case .create, .drop, .aggregate: true
        case .insert, .change, .createIndexes, .other: false
        }
    }

    /// The indexes that `dropIndexes` is about, by name or by key.
    var droppedIndexes: [BSONValue] {
        guard let index = document["index"] else { return [] }
        return index.array?.values ?? [index]
    }

    /// Whether running the command twice does what running it once does.
    var isRepeatable: Bool {
        switch kind {
        case .change(let statements):
            // One after another, each may change what the one before has made.
            return statements.count == 1 && statements.allSatisfy { $0.isIdempotent && !$0.isUpsert }
        case .aggregate(_, _, let isOut):
            let merge = document["pipeline"]?.array?.values.last?.document?["$merge"]?.document
            let matched = merge?["whenMatched"]
            return !isOut && dangers.isEmpty && matched?.array == nil && matched?.string != "fail"
                && (document["pipeline"]?.array?.values ?? []).allSatisfy(Self.keepsIDs)
        case .insert, .create, .createIndexes, .drop: return false
        case .other: return dangers.isEmpty && (risk == .safe || has(.repeatable))
        }
    }

    /// Whether a stage of a pipeline, run again on the same documents, gives documents of the same `_id`s.
    private static func keepsIDs(_ stage: BSONValue) -> Bool {
        guard let stage = stage.document, let name = stage.keys.first else { return false }
        switch name {
        case "$match", "$sort", "$group", "$merge": return true
        case "$set", "$addFields": return stage[name]?.document?["_id"] == nil
        case "$project":
            let id = stage[name]?.document?["_id"]
            return id == nil || id?.bool == true || id?.integer == 1
        default: return false
        }
    }

    /// Whether a command that the server refuses has done nothing: others may have come part of the way.
    fileprivate var isAtomic: Bool {
        switch kind {
        case .change(let statements): statements.count == 1 && !statements[0].isMulti
        case .insert(let documents): documents.count == 1
        case .aggregate: false
        case .other: !has(.partial)
        case .create, .createIndexes, .drop: true
        }
    }

    /// Whether the server's refusal says that the command has done nothing.
    func isUntouched(by error: MongoError) -> Bool {
        if isAtomic { return true }
        if case .change(let statements) = kind, statements.count == 1, error.isOfPlanning { return true }
        guard !has(.wrapping) else {
            return error.kind == .unauthorized || error.kind == .authentication
        }
        return error.isEarly
    }

    /// Whether the server says so when what the command wants is so already.
    var canBeDoneAlready: Bool { known?.doneAlready.isEmpty == false }

    var isOther: Bool { if case .other = kind { true } else { false } }

    /// Whether an error says that what the command wants is so already.
    func meansDone(_ error: MongoError) -> Bool { known?.doneAlready.contains(error.code) ?? false }
}

extension ChangeStatement {
    /// Whether carrying it out twice does what carrying it out once does.
    fileprivate var isIdempotent: Bool {
        guard let update else { return isMulti }
        guard isMulti, let operators = update.document?.keys else { return false }
        return operators.allSatisfy(Self.idempotent.contains)
    }

    private static let idempotent: Set<String> = [
        "$set", "$unset", "$setOnInsert", "$min", "$max", "$addToSet", "$pull",
    ]
}
