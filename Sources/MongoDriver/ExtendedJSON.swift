public import BSON
internal import CMongoC

/// MongoDB's Extended JSON, version 2 (https://github.com/mongodb/specifications/blob/master/source/extended-json.md),
/// by libbson.
public enum ExtendedJSON {
    /// Writes a document so that every type can be read back exactly.
    ///
    /// - Throws: ``MongoError`` of kind `bson` when it can't be written as JSON: text that isn't UTF-8, or
    ///   more than 200 levels.
    public static func canonical(_ document: BSONDocument) throws(MongoError) -> String {
        try text(document, bson_as_canonical_extended_json)
    }

    /// Writes a document for people: numbers as JSON's own, dates as text.
    ///
    /// - Throws: ``MongoError`` of kind `bson`, as ``canonical(_:)`` does.
    public static func relaxed(_ document: BSONDocument) throws(MongoError) -> String {
        try text(document, bson_as_relaxed_extended_json)
    }

    /// Reads one document in canonical or relaxed Extended JSON; keys keep their order.
    ///
    /// - Throws: ``MongoError`` of kind `bson` with the parser's words.
    public static func document(_ json: String) throws(MongoError) -> BSONDocument {
        var error = bson_error_t()
        var text = json
        let parsed = text.withUTF8 { bytes in
            bson_new_from_json(bytes.baseAddress, bytes.count, &error)
        }
        guard let parsed else { throw MongoError(.bson, "Not Extended JSON: \(error.text)") }
        defer { bson_destroy(parsed) }
        return try copyDocument(parsed)
    }

    private static func text(
        _ document: BSONDocument, _ write: (OpaquePointer?, UnsafeMutablePointer<Int>?) -> UnsafeMutablePointer<CChar>?
    ) throws(MongoError) -> String {
        var length = 0
        let written = withBSON(document) { write($0, &length) }
        guard let written else {
            throw MongoError(.bson, "A document can't be written as Extended JSON: its text isn't UTF-8.")
        }
        defer { bson_free(written) }
        return String(
            decoding: UnsafeRawBufferPointer(start: UnsafeRawPointer(written), count: length), as: UTF8.self)
    }
}
