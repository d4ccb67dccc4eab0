internal import BSON
package import Journal

extension DatabaseCommand {
    /// How much the command can harm, by what it says.
    package var risk: Risk {
        if !dangers.isEmpty { return .dangerous }
        switch kind {
        case .insert, .create: return .safe
        case .createIndexes(let indexes):
            return indexes.contains { $0["unique"]?.bool == true } ? .careful : .safe
        case .change, .drop, .aggregate: return .careful
        case .other:
            let repairs = name == "validate" && document["repair"].map { $0.bool != false } ?? false
            return has(.harmless) && !repairs ? .safe : .careful
        }
    }

    /// What the command does that can lose data, in words; empty for most.
    package var dangers: [String] {
        let here = collection ?? ""
        switch kind {
        case .drop: return ["drops the collection \(here)"]
        case .aggregate(let target, _, let isOut):
            if isOut, target == here {
                return ["replaces \(here) by what its pipeline makes of it ($out)"]
            }
            if isOut { return ["replaces whatever \(target) holds ($out)"] }
            // Whatever database is named: it may be this one.
            return target == here || reads(target) ? ["changes \(target) while it reads it ($merge)"] : []
        case .change(let statements): return statements.flatMap { Self.dangers(of: $0, here) }
        case .createIndexes(let indexes):
            return indexes.contains { $0["expireAfterSeconds"] != nil } ? [Self.expiry(of: here)] : []
        case .insert, .create: return []
        case .other: return otherDangers
        }
    }

    /// What the server deletes by itself, no journal holds.
    private static func expiry(of collection: String) -> String {
        "lets the server delete documents of \(collection) for good once they are old enough (expireAfterSeconds)"
    }

    /// Whether a stage of the pipeline names a collection to read from.
    private func reads(_ collection: String) -> Bool {
        Self.names(collection, .array(BSONArray((document["pipeline"]?.array?.values ?? []).dropLast())))
    }

    private static func names(_ collection: String, _ value: BSONValue) -> Bool {
        switch value {
        case .document(let document):
            document.elements.contains { element in
                ["from", "coll", "$unionWith"].contains(element.key) && element.value.string == collection
                    || names(collection, element.value)
            }
        case .array(let array): array.values.contains { names(collection, $0) }
        default: false
        }
    }

    private static func dangers(of statement: ChangeStatement, _ collection: String) -> [String] {
        var dangers: [String] = []
        if statement.matchesAll, statement.isMulti {
            let verb = statement.update == nil ? "deletes" : "updates"
            dangers.append("\(verb) every document of \(collection): its filter is empty")
        } else if statement.matchesAll {
            let verb = statement.update == nil ? "deletes" : "updates"
            dangers.append("\(verb) whichever document of \(collection) comes first: its filter is empty")
        }
        if statement.isMulti, statement.isReplacement {
            dangers.append("replaces every matching document of \(collection) by another one")
        }
        return dangers
    }

    private var otherDangers: [String] {
        switch name {
        case "collMod"
        where document.value(at: "index", "expireAfterSeconds") != nil || document["expireAfterSeconds"] != nil:
            [Self.expiry(of: collection ?? "a collection")]
        case "convertToCapped": ["makes \(collection ?? "a collection") capped, which drops documents and indexes"]
        case "mapReduce", "mapreduce": ["can write anything (\(name))"]
        // One that isn't understood is taken at its worst.
        case "update", "delete", "findAndModify", "findandmodify":
            ["has fields that this tool doesn't know, so that it can't tell what it changes (\(name))"]
        default: []
        }
    }
}
