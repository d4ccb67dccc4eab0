package import BSON
internal import CMongoC

/// MongoDB's Extended JSON, version 2 (https://github.com/mongodb/specifications/blob/master/source/extended-json.md),
/// by libbson.
package enum ExtendedJSON {
    /// Writes a document so that every type can be read back exactly.
    ///
    /// - Throws: ``MongoError`` of kind `bson` when it can't be written as JSON: text that isn't UTF-8, or
    ///   more than 200 levels.
    package static func canonical(_ document: BSONDocument) throws(MongoError) -> String {
        try text(document, bson_as_canonical_extended_json)
    }

    /// Writes a document for people: numbers as JSON's own, dates as text.
    ///
    /// - Throws: ``MongoError`` of kind `bson`, as ``canonical(_:)`` does.
    package static func relaxed(_ document: BSONDocument) throws(MongoError) -> String {
        try text(document, bson_as_relaxed_extended_json)
    }

    /// Reads one document in canonical or relaxed Extended JSON; keys keep their order.
    ///
    /// An array is read as the document that stores it, with the keys "0", "1" and so on.
    ///
    /// - Throws: ``MongoError`` of kind `bson` with the parser's words, also when there is more than one document.
    package static func document(_ json: String) throws(MongoError) -> BSONDocument {
        guard let first = json.utf8.firstIndex(where: { !isSpace($0) }),
            let last = json.utf8.lastIndex(where: { !isSpace($0) })
        else { throw MongoError(.bson, "Not Extended JSON: there is nothing to read.") }
        var text = String(json[first...last])
        return try text.withUTF8 { bytes in Result { () throws(MongoError) in try read(bytes) } }.get()
    }

    /// Reads a text without spaces around it, and makes sure that nothing follows: `bson_new_from_json` would stop
    /// after the first document without a word.
    private static func read(_ bytes: UnsafeBufferPointer<UInt8>) throws(MongoError) -> BSONDocument {
        guard let reader = bson_json_data_reader_new(false, 0), let parsed = bson_new(), let next = bson_new() else {
            throw MongoError(.internal, "No memory to read JSON.")
        }
        defer {
            bson_destroy(next)
            bson_destroy(parsed)
            bson_json_reader_destroy(reader)
        }
        var error = bson_error_t()
        bson_json_data_reader_ingest(reader, bytes.baseAddress, bytes.count)
        guard bson_json_reader_read(reader, parsed, &error) == 1 else {
            // libbson takes whatever stands behind "$type" for that of a binary value, and wants text there.
            let isType = error.text.contains("type \"binary\"")
            let hint = isType ? "; write a type behind $type by its name, such as {\"$type\": \"string\"}" : ""
            throw MongoError(.bson, "Not Extended JSON: \(error.text)\(hint)")
        }
        guard bson_json_reader_read(reader, next, &error) == 0 else {
            throw MongoError(.bson, "Not Extended JSON: there is something behind the end of the document.")
        }
        return try copyDocument(parsed)
    }

    /// What JSON calls white space (RFC 8259, section 2).
    private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0a, 0x0d].contains(byte) }

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
