package import BSON
internal import CMongoC

extension MongoClient {
    /// Writes many documents in as few round trips as the server allows.
    ///
    /// Writes that the server refuses one by one (a duplicate key, a failed validation) come back in
    /// ``BulkWriteResult/writeErrors``; everything else is thrown, with what was done so far in
    /// ``MongoError/partialResult``.
    ///
    /// - Parameters:
    ///   - namespace: The collection.
    ///   - writes: What to write; an empty list does nothing.
    ///   - ordered: Stop at the first refused write.
    ///   - concern: How durable the writes must be; ignored within a transaction.
    ///   - bypassValidation: Write documents that fail the collection's validator; needs that privilege.
    ///   - collation: The collation of filters, such as `["locale": "simple"]` for exact comparison.
    ///   - session: The session or transaction it belongs to.
    /// - Throws: ``MongoError``.
    @discardableResult
    package func bulkWriteCollectingErrors(
        _ namespace: Namespace, _ writes: [WriteModel], ordered: Bool = false,
        concern: WriteConcern = .majorityJournaled, bypassValidation: Bool = false,
        collation: BSONDocument? = nil, session: ClientSession? = nil
    ) throws -> BulkWriteResult {
        guard !writes.isEmpty else { return BulkWriteResult() }
        var options: BSONDocument = ["ordered": .bool(ordered)]
        if session?.isTransaction != true { options.append("writeConcern", .document(document(concern))) }
        options = self.options(options, session: session)
        let itemOptions: BSONDocument? = collation.map { ["collation": .document($0)] }
        var result = BulkWriteResult()
        try withCollection(namespace) { collection in
            // Every part is made before the first is sent: a write that libmongoc itself refuses leaves nothing done.
            var bulks: [(handle: OpaquePointer, start: Int)] = []
            defer { for bulk in bulks { mongoc_bulk_operation_destroy(bulk.handle) } }
            for part in WriteModel.commands(for: writes) {
                guard
                    let bulk = withBSON(
                        options, { mongoc_collection_create_bulk_operation_with_opts(collection, $0) })
                else { throw MongoError(.internal, "libmongoc made no bulk operation.") }
                bulks.append((bulk, part.lowerBound))
                if bypassValidation { mongoc_bulk_operation_set_bypass_document_validation(bulk, true) }
                for write in writes[part] { try Self.add(write, to: bulk, itemOptions) }
            }
            for bulk in bulks {
                try prepare(concern, session)
                try onSameConnection { () throws(MongoError) in
                    try Self.execute(bulk.handle, from: bulk.start, &result)
                }
                wrote(concern, session)
                if ordered, !result.writeErrors.isEmpty { break }
            }
        }
        return result
    }

    /// Writes many documents; a write that the server refuses is thrown as an error.
    ///
    /// - Throws: ``MongoError``, with what was done so far in ``MongoError/partialResult``.
    @discardableResult
    package func bulkWrite(
        _ namespace: Namespace, _ writes: [WriteModel], ordered: Bool = false,
        concern: WriteConcern = .majorityJournaled, bypassValidation: Bool = false,
        collation: BSONDocument? = nil, session: ClientSession? = nil
    ) throws -> BulkWriteResult {
        let result = try bulkWriteCollectingErrors(
            namespace, writes, ordered: ordered, concern: concern, bypassValidation: bypassValidation,
            collation: collation, session: session)
        if let first = result.writeErrors.first {
            throw MongoError(
                MongoError.kind(ofServerCode: first.code), first.message, code: first.code, partialResult: result)
        }
        return result
    }

    /// Sends one command's writes and adds what they did to a result.
    ///
    /// - Throws: ``MongoError`` unless all that went wrong is that the server refused single writes.
    private static func execute(
        _ bulk: OpaquePointer, from start: Int, _ result: inout BulkWriteResult
    ) throws(MongoError) {
        var error = bson_error_t()
        let (server, reply) = try withReply { mongoc_bulk_operation_execute(bulk, $0, &error) }
        result.add(reply, from: start)
        guard server == 0 else { return }
        if let concern = reply["writeConcernErrors"]?.array?.values.first?.document {
            let code = Int32(truncatingIfNeeded: concern["code"]?.integer ?? 0)
            throw MongoError(.writeConcern, concern["errmsg"]?.string ?? "", code: code, partialResult: result)
        }
        // "writeErrors" come in the reply of a command that the server ran; one that failed has none.
        guard reply["writeErrors"]?.array?.isEmpty ?? true else { return }
        throw MongoError(error, reply: reply, partialResult: result)
    }

    private static func add(
        _ write: WriteModel, to bulk: OpaquePointer, _ options: BSONDocument?
    ) throws(MongoError) {
        var error = bson_error_t()
        let added =
            switch write {
            case .insert(let document):
                lend(document, [:], unvalidated(nil)) { document, _, options in
                    mongoc_bulk_operation_insert_with_opts(bulk, document, options, &error)
                }
            case .updateOne(let filter, let update):
                try lendUpdate(filter, update, options) {
                    mongoc_bulk_operation_update_one_with_opts(bulk, $0, $1, $2, &error)
                }
            case .updateMany(let filter, let update):
                try lendUpdate(filter, update, options) {
                    mongoc_bulk_operation_update_many_with_opts(bulk, $0, $1, $2, &error)
                }
            case .replaceOne(let filter, let replacement):
                lend(filter, replacement, unvalidated(options)) {
                    mongoc_bulk_operation_replace_one_with_opts(bulk, $0, $1, $2, &error)
                }
            case .deleteOne(let filter):
                lend(filter, [:], options) { selector, _, options in
                    mongoc_bulk_operation_remove_one_with_opts(bulk, selector, options, &error)
                }
            case .deleteMany(let filter):
                lend(filter, [:], options) { selector, _, options in
                    mongoc_bulk_operation_remove_many_with_opts(bulk, selector, options, &error)
                }
            }
        guard added else { throw MongoError(error) }
    }

    /// libmongoc refuses empty keys, at any depth, and text that isn't UTF-8. The server is the judge of that: a document
    /// that it holds must be copied as it is, also as a part of an update.
    private static func unvalidated(_ options: BSONDocument?) -> BSONDocument {
        var options = options ?? [:]
        options.append("validate", false)
        return options
    }

    /// Lends an update without libmongoc's validation, which would also see to it that the update isn't a replacement.
    private static func lendUpdate(
        _ filter: BSONDocument, _ update: BSONDocument, _ options: BSONDocument?,
        _ body: (OpaquePointer, OpaquePointer, OpaquePointer?) -> Bool
    ) throws(MongoError) -> Bool {
        // A pipeline is a document with the keys "0", "1" and so on, whose values are documents.
        let isPipeline = update.rawElements.enumerated().allSatisfy { $1.key == String($0) && $1.type == .document }
        guard !update.isEmpty, isPipeline || update.keys.allSatisfy({ $0.hasPrefix("$") }) else {
            throw MongoError(.internal, "An update holds operators, or stages of a pipeline, and nothing else.")
        }
        return lend(filter, update, unvalidated(options), body)
    }

    private static func lend(
        _ first: BSONDocument, _ second: BSONDocument, _ options: BSONDocument?,
        _ body: (OpaquePointer, OpaquePointer, OpaquePointer?) -> Bool
    ) -> Bool {
        withBSON(first) { first in
            withBSON(second) { second in withOptionalBSON(options) { body(first, second, $0) } }
        }
    }
}
