internal import BSON
internal import Journal

/// Keeps documents of one collection from moving while references in them follow documents of another.
///
/// A run is undone from its last entry to its first. Were a reference changed in the middle of its own document's move, the
/// change would stand under an `_id` that the document hasn't any more when it is to be undone.
final class MoveLocks: Sendable {
    private let locks: [String: ReadWriteLock]

    /// Makes a lock for each collection.
    ///
    /// - Parameter collections: Those that refer before those that are referred to.
    init(_ collections: [CollectionSchema]) {
        locks = Dictionary(uniqueKeysWithValues: collections.map { ($0.name, ReadWriteLock()) })
    }

    /// Moves documents of a collection, while others of it may.
    func moving<R>(in collection: String, _ body: () async throws -> R) async throws -> R {
        guard let lock = locks[collection] else { return try await body() }
        await lock.lockShared()
        do {
            let result = try await body()
            await lock.unlockShared()
            return result
        } catch {
            await lock.unlockShared()
            throw error
        }
    }

    /// Changes references in some collections, while no document of them moves.
    ///
    /// - Parameter collections: In the order in which they are locked: those that are referred to first, as a move of theirs
    ///   may wait for the others.
    func changing(_ collections: ArraySlice<String>, _ body: () async throws -> Void) async throws {
        guard let first = collections.first else { return try await body() }
        guard let lock = locks[first] else { return try await changing(collections.dropFirst(), body) }
        await lock.lock()
        do {
            try await changing(collections.dropFirst(), body)
            await lock.unlock()
        } catch {
            await lock.unlock()
            throw error
        }
    }
}

/// A lock that many may share, or one may have alone. Whoever wants it alone goes first.
private actor ReadWriteLock {
    private var sharing = 0
    private var isAlone = false
    private var wantingAlone = 0
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func lockShared() async {
        while isAlone || wantingAlone > 0 { await wait() }
        sharing += 1
    }

    func unlockShared() {
        sharing -= 1
        wake()
    }

    func lock() async {
        wantingAlone += 1
        while isAlone || sharing > 0 { await wait() }
        wantingAlone -= 1
        isAlone = true
    }

    func unlock() {
        isAlone = false
        wake()
    }

    private func wait() async { await withCheckedContinuation { waiting.append($0) } }

    private func wake() {
        let woken = waiting
        waiting = []
        for continuation in woken { continuation.resume() }
    }
}

/// References that follow while no document moves that holds them.
struct LockedReferenceSource: ReferenceSource {
    let source: SchemaReferenceSource
    let schema: DatabaseSchema
    let locks: MoveLocks

    func forEachBatch(
        following moves: [RekeyMove], _ body: ([FollowingChange]) async throws -> Void
    ) async throws {
        guard try await isAnyReferred(to: moves) else { return }
        // One that has come since is in one of these, or is found by the next look.
        let names = schema.referringFirst.reversed().map(\.name)
        let referring = Set(moves.flatMap { $0.referrers.map(\.collection) })
        try await locks.changing(names.filter(referring.contains)[...]) {
            try await source.forEachBatch(following: moves, body)
        }
    }

    func isSameDocument(_ first: BSONDocument, _ second: BSONDocument) -> Bool { source.isSameDocument(first, second) }

    /// Whether anything names one of these documents: as a rule nothing does yet.
    private func isAnyReferred(to moves: [RekeyMove]) async throws -> Bool {
        let ids = moves.map(\.oldID).filter { $0.type == .string }
        guard !ids.isEmpty else { return false }
        for referrer in Set(moves.flatMap(\.referrers)) {
            let found = try await source.database.findAll(
                referrer.collection, filter: [referrer.field: ["$in": .array(BSONArray(ids))]],
                options: ["projection": ["_id": 1], "limit": 1])
            if !found.isEmpty { return true }
        }
        return false
    }
}
