internal import BSON
internal import Journal
internal import MongoDriver

/// The rule that keeps an `_id` that isn't an ObjectId out of a collection.
enum Guard {
    /// The rule itself.
    static let rule: BSONDocument = ["_id": ["$type": "objectId"]]

    /// What can be done about a collection's guard.
    enum Plan: Equatable {
        /// It is there.
        case present
        /// These options add it to what is there.
        case set(BSONDocument)
        /// It can't be added without changing what the collection's own rule means.
        case refused(String)
    }

    static func plan(_ options: BSONDocument) -> Plan {
        let current = ValidatorOptions.extract(options)
        let validator = current["validator"]?.document ?? [:]
        let level = current["validationLevel"]?.string ?? "strict"
        let action = current["validationAction"]?.string ?? "error"
        if validator.isEmpty {
            return .set(["validator": .document(rule), "validationLevel": "moderate", "validationAction": "error"])
        }
        if level == "off" {
            return .refused("its own validator is switched off (validationLevel off), and would be switched on by it")
        }
        if action != "error" {
            return .refused("its own validator only warns (validationAction \(action)), and would refuse with it")
        }
        if contains(validator) { return .present }
        return .set([
            "validator": ["$and": [.document(validator), .document(rule)]],
            "validationLevel": "moderate", "validationAction": "error",
        ])
    }

    /// Whether a validator demands an ObjectId, in any of the ways people write it.
    private static func contains(_ validator: BSONDocument) -> Bool {
        if let type = validator.value(at: "_id", "$type"), isObjectID(type) { return true }
        if let type = validator.value(at: "$jsonSchema", "properties", "_id", "bsonType"), isObjectID(type) {
            return true
        }
        return validator["$and"]?.array?.values.compactMap(\.document).contains(where: contains) ?? false
    }

    private static func isObjectID(_ type: BSONValue) -> Bool {
        type == .string("objectId") || type.number == 7 || type.array?.values == [.string("objectId")]
    }
}
