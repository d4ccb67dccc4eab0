package import BSON

/// A database command of a step's file, looked at to know what it does. Nothing of it is changed.
package struct DatabaseCommand: Sendable {
    /// The command as it stands in the file.
    package let document: BSONDocument
    /// Its name: the first key.
    package let name: String
    /// What it does.
    package let kind: Kind

    /// What a command does.
    package enum Kind: Sendable {
        /// Inserts documents.
        case insert([BSONDocument])
        /// Updates, replaces or deletes documents, statement by statement.
        case change([ChangeStatement])
        /// Creates a collection or a view.
        case create
        /// Creates indexes.
        case createIndexes([BSONDocument])
        /// Drops a collection.
        case drop
        /// Runs a pipeline whose result is written to a collection; the database is nil where it is the command's own.
        case aggregate(into: String, ofDatabase: String?, isOut: Bool)
        /// Anything else: run as it is.
        case other
    }

    /// Reads a command.
    ///
    /// - Returns: nil for an empty document.
    package init?(_ document: BSONDocument) {
        guard let name = document.keys.first else { return nil }
        self.document = document
        self.name = name
        kind = Self.kind(name, document)
    }

    /// What is known of commands of its name; nil where no step may send it.
    var known: KnownCommand? { KnownCommand.all[name] }

    func has(_ trait: KnownCommand.Traits) -> Bool { known?.traits.contains(trait) ?? false }

    /// The collection that the command is about; nil where it is about none.
    package var collection: String? { known?.subject == .collection ? subject : nil }

    /// What results and the ledger call it: never more of the command than this, for it may hold a password.
    package var title: String { subject.map { "\(name) \($0)" } ?? name }

    /// What the first key names, where it is known to be a name, and not something to keep secret.
    private var subject: String? {
        switch known?.subject {
        case .collection, .account: document[name]?.string
        case .other, nil: nil
        }
    }

    private static func kind(_ name: String, _ document: BSONDocument) -> Kind {
        switch name {
        case "insert" where has(document, only: ["insert", "documents", "ordered"]):
            return .insert(documents(document["documents"]))
        case "update" where has(document, only: ["update", "updates", "ordered", "let"]):
            return changes(document["updates"], document["let"]) { ChangeStatement(update: $0, variables: $1) }
        case "delete" where has(document, only: ["delete", "deletes", "ordered", "let"]):
            return changes(document["deletes"], document["let"]) { ChangeStatement(delete: $0, variables: $1) }
        case "findAndModify", "findandmodify":
            return ChangeStatement(findAndModify: document, name: name).map { .change([$0]) } ?? .other
        case "create": return .create
        case "createIndexes": return .createIndexes(documents(document["indexes"]))
        case "drop": return .drop
        // An explanation changes nothing.
        case "aggregate" where document["explain"]?.bool != true: return aggregate(document)
        default: return .other
        }
    }

    /// Keys that any command may have, and that change nothing about what it does.
    private static let common: Set<String> = ["writeConcern", "comment", "maxTimeMS"]

    private static func has(_ document: BSONDocument, only keys: Set<String>) -> Bool {
        document.keys.allSatisfy { keys.contains($0) || common.contains($0) }
    }

    private static func documents(_ value: BSONValue?) -> [BSONDocument] {
        value?.array?.values.compactMap(\.document) ?? []
    }

    private static func changes(
        _ list: BSONValue?, _ variables: BSONValue?, _ make: (BSONDocument, BSONValue?) -> ChangeStatement?
    ) -> Kind {
        let statements = documents(list).map { make($0, variables) }
        let known = statements.compactMap { $0 }
        return known.count == statements.count && known.count == list?.array?.count ? .change(known) : .other
    }

    private static func aggregate(_ document: BSONDocument) -> Kind {
        guard let last = documents(document["pipeline"]).last else { return .other }
        if let target = last["$out"] {
            return .aggregate(
                into: target.string ?? target.document?["coll"]?.string ?? "",
                ofDatabase: target.document?["db"]?.string, isOut: true)
        }
        if let merge = last["$merge"] {
            let into = merge.document?["into"] ?? merge
            return .aggregate(
                into: into.string ?? into.document?["coll"]?.string ?? "",
                ofDatabase: into.document?["db"]?.string, isOut: false)
        }
        return .other
    }
}
