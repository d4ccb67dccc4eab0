internal import BSON
internal import Journal
internal import MongoDriver
internal import Synchronization

/// Tells how far one pass over several collections has come, of which the server hands over only what matches.
///
/// Where it reads a whole collection it does so in the order of the record ids, and the record id of what it handed over last
/// tells where it is: nothing has to be counted first. Where an index leads to what matches, that index has counted it.
final class PassProgress: Sendable {
    /// What there is to be read of one collection.
    private struct Extent {
        /// About so many documents.
        let documents: Int
        /// The record ids of the first and the last; nil where they don't tell how far it is.
        let records: ClosedRange<Int64>?

        /// How many of the documents are behind.
        func position(of record: Int64) -> Int? {
            guard let records else { return nil }
            let part = Double(record - records.lowerBound + 1) / Double(records.upperBound - records.lowerBound + 1)
            return Int(Double(documents) * min(max(part, 0), 1))
        }
    }

    private let extents: [Extent]
    private let done: Mutex<[Int]>
    private let work: WorkDone

    /// Looks how much there is.
    ///
    /// - Parameters:
    ///   - what: What is being done, in a few words.
    ///   - passes: The collections, each with what is looked for.
    /// - Throws: `MongoError`.
    init(
        _ what: String, _ passes: [(collection: String, filter: BSONDocument)], _ database: Database,
        _ report: @escaping ProgressReport
    ) async throws {
        var extents: [Extent] = []
        for (collection, filter) in passes { extents.append(try await Self.extent(collection, filter, database)) }
        self.extents = extents
        done = Mutex(extents.map { _ in 0 })
        work = WorkDone(what, of: extents.reduce(0) { $0 + $1.documents }, report)
    }

    /// Some of what matches in a collection is done.
    ///
    /// - Parameters:
    ///   - documents: A batch, as the server handed it over with record ids.
    ///   - index: The position of the collection.
    func came(to documents: [BSONDocument], in index: Int) {
        let record = documents.last?["$recordId"]?.integer
        let position = record.flatMap { extents[index].position(of: $0) }
        let all = done.withLock { done in
            let before = done[index]
            done[index] = min(position.map { max(before, $0) } ?? before + documents.count, extents[index].documents)
            return done.reduce(0, +)
        }
        work.reach(all)
    }

    /// Everything is done.
    func finish() { work.finish() }

    private static func extent(_ collection: String, _ filter: BSONDocument, _ database: Database) async throws
        -> Extent
    {
        if try await database.access(finding: filter, in: collection) == .index {
            let reply = try await database.client.run(
                ["count": .string(collection), "query": .document(filter)], on: database.name, mode: .read)
            return Extent(documents: Int(reply["n"]?.integer ?? 0), records: nil)
        }
        let documents = try await database.documentCount(of: collection)
        guard database.server.topology != .sharded,
            let first = try await record(1, collection, database),
            let last = try await record(-1, collection, database),
            first <= last
        else { return Extent(documents: documents, records: nil) }
        return Extent(documents: documents, records: first...last)
    }

    /// The record id of the first document, or of the last; nil where it is no number, as in a clustered collection.
    private static func record(_ order: Int32, _ collection: String, _ database: Database) async throws -> Int64? {
        try await database.findAll(
            collection, filter: [:],
            options: ["projection": ["_id": 1], "sort": ["$natural": .int32(order)], "limit": 1, "showRecordId": true]
        ).first?["$recordId"]?.integer
    }
}
