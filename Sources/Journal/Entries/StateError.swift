internal import BSON
package import MongoDriver

/// One of the tool's own collections, or a document in one, isn't what this tool makes of it: somebody has changed it, or
/// it is another application's. Nothing is guessed of it, and nothing done.
public struct StateError: AdvisingError, Sendable {
    /// What is wrong.
    public enum Fault: Sendable {
        /// A field of a document holds something else than it must.
        case field(id: String, name: String, expected: String)
        /// A collection is of another kind than it must be, in words that follow "is".
        case collection(String)
        /// The server can't read, or write, it as asked: its own words.
        case server(String)
    }

    /// The collection.
    public let collection: String
    /// What is wrong.
    public let fault: Fault

    /// Whether the collection is of another kind than it must be, and not one of its documents.
    public var isOfCollection: Bool {
        if case .collection = fault { true } else { false }
    }

    init(_ collection: String, _ fault: Fault) {
        self.collection = collection
        self.fault = fault
    }

    /// What is wrong with a field, which holds this value, or none.
    init(_ collection: String, id: BSONValue, _ name: String, expected: String) {
        let shown = id.objectID?.hex ?? id.debugDescription.excerpt(maximumCharacters: 100)
        self.init(collection, .field(id: shown, name: name, expected: expected))
    }

    /// What is wrong, and what to do.
    public var sentence: Sentence {
        switch fault {
        case .field(let id, let name, let expected):
            "In \(collection), which is this tool's own, `\(name)` of the document \(id) isn't \(expected). Somebody has "
                + "changed it, or it is another application's; nothing is done that builds on it. Put it right by hand, or "
                + remedy
        case .collection(let what):
            "\(collection) is \(what). This tool keeps its own state there, and can't do so safely: rename or drop "
                + "that, or put it right by hand."
        case .server(let message):
            "In \(collection), which is this tool's own, the server finds something that this tool hasn't put there: "
                + "\(message.excerpt(maximumCharacters: 500))"
        }
    }

    /// What to do where nobody can put a document right, in words that follow "or".
    private var remedy: Sentence {
        switch collection {
        case StateCollection.lease: "take the collection from a backup; \(EngineAdvice.remakeLease)."
        case StateCollection.checks: "remove that document: no other needs it."
        default: "take the collection from a backup."
        }
    }
}

extension StateCollection {
    /// Those that hold what was done: all that is read again.
    static let kept = [lease, migrations, runs, journal]

    /// Refuses what stands in the place of the tool's own collections and isn't fit for them.
    ///
    /// - Parameters:
    ///   - present: The database's collections.
    ///   - isChanged: Whether they are about to be written: a validator is in the way of that alone.
    /// - Throws: ``StateError``.
    package static func check(_ present: [String: CollectionDescription], isChanged: Bool) throws(StateError) {
        for name in kept {
            guard let found = present[name] else { continue }
            guard found.isOrdinary else {
                throw StateError(name, .collection("a \(found.type == "timeseries" ? "time series" : found.type)"))
            }
            guard !found.isCapped else {
                throw StateError(name, .collection("capped, so that the server throws away what is needed"))
            }
            let validator = found.options["validator"]?.document ?? [:]
            let isEnforced =
                found.options["validationAction"]?.string != "warn" && found.options["validationLevel"]?.string != "off"
            if isChanged, !validator.isEmpty, isEnforced {
                throw StateError(
                    name,
                    .collection(
                        "under a validator, which may refuse what has to be written before a change "
                            + "(`db.runCommand({collMod: \"\(name)\", validator: {}})` takes it away)"))
            }
        }
    }

    /// Turns what the server says of one of the tool's own collections into an error that names it.
    package static func naming<R>(_ collection: String, _ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let error as MongoError
            where error.kind == .server && error.isRefusal && !error.isTransient && kept.contains(collection)
        {
            throw StateError(collection, .server(error.message))
        }
    }
}
