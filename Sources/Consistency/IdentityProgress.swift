internal import BSON
internal import Journal
internal import MongoDriver
internal import Synchronization

/// Tells how far a repair of `_id`s has come: how many of the documents have got theirs, and of the references that follow
/// them.
///
/// How many documents there are their index tells. How many references follow them would take a pass over every collection
/// that refers to them; a thousand of its documents, picked at random by the server, tell about as much.
final class IdentityProgress: Sendable {
    /// A collection's part of the work.
    private struct Share {
        /// How much comes before it, and how much that is itself.
        let start: Int
        let size: Int
    }

    private struct State {
        var share = Share(start: 0, size: 0)
        var done = 0
    }

    private let shares: [String: Share]
    private let work: WorkDone
    private let state = Mutex(State())

    private static let sampleSize = 1000
    /// A document that gets another `_id` is inserted, deleted, and held in the journal: it takes about as long as so many
    /// references.
    private static let documentSize = 3

    /// Looks how much there is.
    ///
    /// - Parameter collections: Those to be repaired, in order.
    /// - Throws: `MongoError`.
    init(
        _ collections: [CollectionSchema], _ database: Database, _ schema: DatabaseSchema,
        _ report: @escaping ProgressReport
    ) async throws {
        var (shares, sum): ([String: Share], Int) = ([:], 0)
        for collection in collections {
            // A comparison stays within its type. `_id`s of other types are one to a collection, or not repaired.
            let reply = try await database.client.run(
                ["count": .string(collection.name), "query": ["_id": ["$gte": ""]]], on: database.name, mode: .read)
            var size = Int(reply["n"]?.integer ?? 0) * Self.documentSize
            if size > 0 {
                for (holder, reference) in schema.references(to: collection.name) {
                    size += try await Self.followers(holder.name, reference, database)
                }
            }
            shares[collection.name] = Share(start: sum, size: size)
            sum += size
        }
        self.shares = shares
        work = WorkDone("new _ids and references", of: sum, report)
    }

    /// The work on a collection begins.
    func begin(_ collection: String) {
        state.withLock { $0 = State(share: shares[collection] ?? Share(start: 0, size: 0)) }
    }

    /// So many of its documents, and of the references to them, are done.
    func add(documents: Int, references: Int) {
        let count = documents * Self.documentSize + references
        let sum = state.withLock { state in
            state.done += count
            return state.share.start + min(state.done, state.share.size)
        }
        work.reach(sum)
    }

    /// So many of its documents were passed over.
    func pass(_ documents: Int) { add(documents: documents, references: 0) }

    /// Something takes its time, and doesn't tell how far it is.
    func wait(_ reason: Sentence) { work.wait(reason) }

    /// The work on the collection is done, however much of it there was.
    func end() { work.reach(state.withLock { $0.share.start + $0.share.size }) }

    /// About how many documents of a collection refer to one by a text that is its `_id`.
    private static func followers(_ holder: String, _ reference: Reference, _ database: Database) async throws -> Int {
        guard try await database.collections()[holder]?.isOrdinary ?? false else { return 0 }
        let count = try await database.documentCount(of: holder)
        guard count > 0 else { return 0 }
        let sample: [BSONDocument]
        do {
            sample = try await database.aggregateAll(
                holder,
                [
                    ["$sample": ["size": .int32(Int32(sampleSize))]],
                    ["$project": [reference.field: 1]],
                ])
        } catch let error as MongoError where error.kind == .server && !error.isTransient {
            // "$sample stage could not find a non-duplicate document": then it isn't known, and the rest is.
            return 0
        }
        let texts = sample.compactMap { $0[reference.field] }.filter { $0.type == .string }
        guard !texts.isEmpty else { return 0 }
        let found = try await database.findAll(
            reference.target, filter: ["_id": ["$in": .array(BSONArray(Set(texts)))]],
            options: ["projection": ["_id": 1]])
        let ids = Set(found.compactMap { $0["_id"] })
        return count * texts.count { ids.contains($0) } / max(sample.count, 1)
    }
}
