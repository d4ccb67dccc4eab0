internal import BSON
internal import Journal
internal import MongoDriver
internal import Synchronization

/// A range of ObjectIds: from one, included, to another, excluded, or to the largest there is.
struct IDRange: Sendable, Equatable {
    let lower: ObjectID
    let upper: ObjectID?

    /// The condition of a query.
    var condition: BSONValue {
        guard let upper else { return ["$gte": .objectID(lower), "$lte": .objectID(.max)] }
        return ["$gte": .objectID(lower), "$lt": .objectID(upper)]
    }
}

/// The ranges of a collection's ObjectIds, handed out one after another, each of about half a second's work and never
/// of more documents than memory should hold.
actor IDRanges {
    private let collection: String
    private var next: ObjectID? = .min
    private var size = 5_000

    private static let sizes = 500...10_000
    private static let aim = Duration.milliseconds(500)

    init(collection: String) { self.collection = collection }

    /// The next range; nil at the end.
    func next(_ database: Database) async throws -> IDRange? {
        // The actor is free while the server answers: a claim keeps two workers from taking the same range.
        while isClaimed { await waitForTurn() }
        guard let lower = next else { return nil }
        isClaimed = true
        defer { giveTurn() }
        let found = try await database.findAll(
            collection, filter: ["_id": ["$gte": .objectID(lower), "$lte": .objectID(.max)]],
            options: [
                "projection": ["_id": 1], "sort": ["_id": 1], "skip": .int32(Int32(size)), "limit": 1,
                "hint": ["_id": 1],
            ])
        next = found.first?["_id"]?.objectID
        return IDRange(lower: lower, upper: next)
    }

    /// Learns how long a range took, for the size of the next ones.
    func took(_ duration: Duration, documents: Int) {
        guard documents > 0, duration > .zero else { return }
        let fitting = Double(documents) * (Self.aim / duration)
        // Not by more than double at once: one range says little about the next.
        size = min(max(Int(min(fitting, Double(size) * 2)), Self.sizes.lowerBound), Self.sizes.upperBound)
    }

    private var isClaimed = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    private func waitForTurn() async {
        await withCheckedContinuation { waiting.append($0) }
    }

    private func giveTurn() {
        isClaimed = false
        let woken = waiting
        waiting = []
        for continuation in woken { continuation.resume() }
    }
}
