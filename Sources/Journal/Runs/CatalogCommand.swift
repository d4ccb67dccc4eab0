package import BSON
internal import MongoDriver

/// The commands that change the catalogue, as ``Run/changeCatalog(_:)`` takes them.
package enum CatalogCommand {
    /// The names of those that need a collection for themselves, if only for a moment.
    package static let names: Set<String> = [
        "create", "createIndexes", "collMod", "drop", "dropIndexes", "renameCollection", "convertToCapped",
    ]
    /// Those of them that may work for long once they have begun.
    static let lengthy: Set<String> = ["createIndexes", "renameCollection", "convertToCapped"]

    package static func create(_ collection: String, _ options: BSONDocument = [:]) -> BSONDocument {
        appending(options, to: ["create": .string(collection)])
    }

    static func collMod(_ collection: String, _ changes: BSONDocument) -> BSONDocument {
        appending(changes, to: ["collMod": .string(collection)])
    }

    /// - Parameter indexes: As the server takes them: `key`, `name`, `unique`, …; all are made, or none.
    static func createIndexes(_ collection: String, _ indexes: [BSONDocument]) -> BSONDocument {
        ["createIndexes": .string(collection), "indexes": .array(BSONArray(indexes.map { .document($0) }))]
    }

    static func drop(_ collection: String) -> BSONDocument { ["drop": .string(collection)] }

    static func dropIndex(_ collection: String, name: String) -> BSONDocument {
        ["dropIndexes": .string(collection), "index": .string(name)]
    }

    /// What a command does, for people: `create the index by_n on notes`.
    static func words(_ command: BSONDocument) -> String {
        let name = command.keys.first ?? ""
        let collection = command[name]?.string ?? ""
        let indexes = (command["indexes"]?.array?.values ?? []).compactMap { $0.document?["name"]?.string }
        return switch name {
        case "create": "create \(collection)"
        case "createIndexes": "create the index \(indexes.joined(separator: ", ")) on \(collection)"
        case "collMod": "change the options of \(collection)"
        case "drop": "drop \(collection)"
        case "dropIndexes": "drop an index of \(collection)"
        default: "\(name) \(collection)"
        }
    }

    private static func appending(_ options: BSONDocument, to command: BSONDocument) -> BSONDocument {
        var command = command
        for element in options.rawElements { command.append(raw: element) }
        return command
    }
}
