internal import BSON
internal import CMongoC

/// Lends Swift bytes to libmongoc as a `const bson_t *`, without copying them.
///
/// `bson_t` is aligned to 128 bytes and imports as an opaque pointer, so its storage is made here by hand;
/// `bson_init_static` "initialises a read-only bson_t from existing memory" (bson.h), which must outlive the call:
/// hence the closure.
func withBSON<R>(_ document: BSONDocument, _ body: (OpaquePointer) throws -> R) rethrows -> R {
    try document.withUnsafeBytes { bytes in
        try withUnsafeTemporaryAllocation(byteCount: bsonStorageSize, alignment: bsonStorageSize) { storage in
            guard let base = storage.baseAddress, let start = bytes.bindMemory(to: UInt8.self).baseAddress else {
                preconditionFailure("A BSON document has at least five bytes.")
            }
            let bson = OpaquePointer(base)
            precondition(bson_init_static(bson, start, bytes.count), "libbson refused a validated document.")
            return try body(bson)
        }
    }
}

/// Lends a document, or nothing, where libmongoc takes an optional one.
func withOptionalBSON<R>(_ document: BSONDocument?, _ body: (OpaquePointer?) throws -> R) rethrows -> R {
    guard let document else { return try body(nil) }
    return try withBSON(document) { try body($0) }
}

/// Gives libmongoc storage for a reply and returns a copy of what it wrote there.
///
/// A reply is initialised by libmongoc even when the call fails, so it is destroyed on every path.
///
/// - Throws: ``MongoError`` when the reply isn't valid BSON.
func withReply<R>(_ body: (OpaquePointer) -> R) throws(MongoError) -> (result: R, reply: BSONDocument) {
    var outcome: (R, Result<BSONDocument, MongoError>)?
    withUnsafeTemporaryAllocation(byteCount: bsonStorageSize, alignment: bsonStorageSize) { storage in
        guard let base = storage.baseAddress else { return }
        let reply = OpaquePointer(base)
        let result = body(reply)
        defer { bson_destroy(reply) }
        outcome = (result, Result { () throws(MongoError) in try copyDocument(reply) })
    }
    guard let outcome else { throw MongoError(.internal, "No memory for a server's reply.") }
    return (outcome.0, try outcome.1.get())
}

/// Copies a borrowed `const bson_t *` (of a cursor, a reply, or a monitoring event) into an owned document.
func copyDocument(_ borrowed: OpaquePointer) throws(MongoError) -> BSONDocument {
    // The first four bytes of a document are its length, little-endian (https://bsonspec.org/spec.html).
    guard let data = bson_get_data(borrowed) else { throw MongoError(.bson, "The server sent no document.") }
    let length = UnsafeRawPointer(data).loadUnaligned(as: Int32.self).littleEndian
    guard length >= 5 else { throw MongoError(.bson, "The server sent a document of \(length) bytes.") }
    do {
        return try BSONDocument(validating: UnsafeRawBufferPointer(start: data, count: Int(length)))
    } catch {
        throw MongoError(.bson, "The server sent a malformed document: \(error)")
    }
}

/// The size and alignment of a `bson_t` (`BSON_ALIGNED_BEGIN (128)` in bson-types.h).
private let bsonStorageSize = 128
