internal import BSON
internal import MongoDriver

/// Several cursors, each on a connection of its own, whose batches are handed to whoever asks next.
///
/// While one cursor's next batch is awaited the others' are handed out, so that a slow scan of one collection doesn't
/// keep anybody from working on another. A cursor that is left open is closed with its connection.
actor CursorFeeds {
    /// A batch, and the position of the cursor that it came from.
    struct Batch: Sendable {
        let feed: Int
        let documents: [BSONDocument]
    }

    private enum State {
        case unopened
        case idle(MongoCursor)
        case busy, finished

        var isReadable: Bool {
            switch self {
            case .unopened, .idle: true
            case .busy, .finished: false
            }
        }

        var isFinished: Bool { if case .finished = self { true } else { false } }
    }

    private let openers: [@Sendable () async throws -> MongoCursor]
    private let batchSize: Int
    private var states: [State]
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ openers: [@Sendable () async throws -> MongoCursor], batchSize: Int) {
        self.openers = openers
        self.batchSize = batchSize
        states = openers.map { _ in .unopened }
    }

    /// The next batch of the first cursor that nobody is reading; nil when all are at their end.
    func next() async throws -> Batch? {
        while true {
            guard let feed = states.firstIndex(where: \.isReadable) else {
                if states.allSatisfy(\.isFinished) { return nil }
                await withCheckedContinuation { waiting.append($0) }
                continue
            }
            let state = states[feed]
            states[feed] = .busy
            do {
                let cursor = if case .idle(let cursor) = state { cursor } else { try await openers[feed]() }
                let documents = try await cursor.nextBatch(maximum: batchSize)
                finish(feed, documents.isEmpty ? .finished : .idle(cursor))
                if !documents.isEmpty { return Batch(feed: feed, documents: documents) }
            } catch {
                finish(feed, .finished)
                throw error
            }
        }
    }

    private func finish(_ feed: Int, _ state: State) {
        states[feed] = state
        let woken = waiting
        waiting = []
        for continuation in woken { continuation.resume() }
    }
}
