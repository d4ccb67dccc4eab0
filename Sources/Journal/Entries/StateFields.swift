package import BSON

/// Reads a document of one of the tool's own collections, strictly: a field holds what this tool puts there, or the
/// reading fails. Nothing is taken for zero, empty or absent that isn't.
package struct StateFields {
    /// The collection.
    let collection: String
    /// The document's `_id`.
    package let id: BSONValue
    /// What is read: the document, or one within it.
    package let document: BSONDocument
    /// Where that is within the document.
    private let path: String

    /// Reads a whole document.
    package init(_ collection: String, _ document: BSONDocument) {
        self.init(collection, id: document["_id"] ?? .null, document, path: "")
    }

    /// Reads what belongs to a document.
    init(_ collection: String, id: BSONValue, _ document: BSONDocument, path: String = "") {
        self.collection = collection
        self.id = id
        self.document = document
        self.path = path
    }

    /// A field that may be absent or null.
    package func read<T>(_ name: String, _ kind: StateField<T>) throws(StateError) -> T? {
        guard let value = document[name], !value.isNull else { return nil }
        guard let result = kind.view(value) else { throw fault(name, kind.words) }
        return result
    }

    /// A field that has to be there.
    package func require<T>(_ name: String, _ kind: StateField<T>) throws(StateError) -> T {
        guard let value = try read(name, kind) else { throw fault(name, kind.words) }
        return value
    }

    /// A list of documents; empty where there is none.
    package func list(_ name: String) throws(StateError) -> [StateFields] {
        let values = try read(name, .array) ?? []
        var list: [StateFields] = []
        for (index, value) in values.enumerated() {
            guard let document = value.document else { throw fault("\(name).\(index)", "a document") }
            list.append(StateFields(collection, id: id, document, path: "\(path)\(name).\(index)."))
        }
        return list
    }

    /// A document within.
    package func inner(_ name: String) throws(StateError) -> StateFields? {
        guard let document = try read(name, .document) else { return nil }
        return StateFields(collection, id: id, document, path: "\(path)\(name).")
    }

    /// What is wrong with a field.
    package func fault(_ name: String, _ expected: String) -> StateError {
        StateError(collection, id: id, path + name, expected: expected)
    }
}

/// What a field holds, and how to say so.
package struct StateField<T> {
    let words: String
    let view: (BSONValue) -> T?
}

extension StateField where T == String {
    package static var text: StateField { StateField(words: "a text") { $0.string } }
}

extension StateField where T == Bool {
    package static var flag: StateField { StateField(words: "true or false") { $0.bool } }
}

extension StateField where T == ObjectID {
    package static var objectID: StateField { StateField(words: "an ObjectId") { $0.objectID } }
}

extension StateField where T == BSONDocument {
    package static var document: StateField { StateField(words: "a document") { $0.document } }
}

extension StateField where T == BSONBinary {
    package static var binary: StateField { StateField(words: "binary data") { $0.binary } }
}

extension StateField where T == JournalKey {
    static var key: StateField { StateField(words: "the name of an entry of the journal") { JournalKey($0) } }
}

extension StateField where T == Int64 {
    /// A number of anything, or of milliseconds: so small that a document full of them can be added up.
    package static var count: StateField {
        StateField(words: "a whole number between 0 and 10^12") { value in
            value.integer.flatMap { (0...largest).contains($0) ? $0 : nil }
        }
    }

    /// What names a step, a command or an entry.
    package static var number: StateField {
        StateField(words: "a whole number that isn't negative") { value in value.integer.flatMap { $0 >= 0 ? $0 : nil }
        }
    }

    /// What tells a holder of the lease from others: so far from the largest that there is always a next one.
    package static var token: StateField {
        StateField(words: "a whole number between -2^62 and 2^62") { value in
            value.integer.flatMap { (-largestToken...largestToken).contains($0) ? $0 : nil }
        }
    }

    static var largestToken: Int64 { 1 << 62 }

    /// A time, in milliseconds since 1970, of a year with four digits.
    package static var date: StateField {
        StateField(words: "a date between the years 1970 and 9999") { value in
            value.date.flatMap { (0...latest).contains($0) ? $0 : nil }
        }
    }

    private static var largest: Int64 { 1_000_000_000_000 }
    /// The end of the year 9999.
    private static var latest: Int64 { 253_402_300_799_999 }
}

extension StateField where T == [BSONValue] {
    package static var array: StateField { StateField(words: "an array") { $0.array?.values } }
}

extension StateField where T == [ObjectID] {
    package static var objectIDs: StateField {
        StateField(words: "an array of ObjectIds") { each($0) { $0.objectID } }
    }
}

extension StateField where T == [String] {
    package static var texts: StateField { StateField(words: "an array of texts") { each($0) { $0.string } } }
}

extension StateField where T == [BSONDocument] {
    static var documents: StateField { StateField(words: "an array of documents") { each($0) { $0.document } } }
}

extension StateField where T: RawRepresentable, T.RawValue == String {
    /// One of a few words.
    package static var word: StateField {
        StateField(words: "a word that this version knows") { $0.string.flatMap(T.init(rawValue:)) }
    }
}

/// Every element of an array, or nothing where one is of another type.
private func each<E>(_ value: BSONValue, _ view: (BSONValue) -> E?) -> [E]? {
    guard let values = value.array?.values else { return nil }
    let viewed = values.compactMap(view)
    return viewed.count == values.count ? viewed : nil
}
