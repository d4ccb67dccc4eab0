package import BSON
internal import MongoDriver

/// Follows what changes in a database, for as long as somebody asks.
package struct ChangeFollower: Sendable {
    /// How it is known what has changed.
    private enum Source: Sendable {
        /// The stream of changes, and the place in it after which changes are wanted.
        case stream(OpenStream, after: ResumeToken)
        /// Indexes, asked from time to time; the moment since which changes are wanted, by the server's clock.
        case index(since: Int64)
    }

    /// What came of one look.
    package enum Outcome: Sendable {
        /// What has changed; the place in the stream of changes after it, where there is one.
        case touched(TouchedDocuments, BSONDocument?)
        /// It can't be told, for this reason: everything has to be looked at.
        case unknown(String)
    }

    private let changes: RecentChanges
    private let schema: DatabaseSchema
    private var source: Source
    /// Where the next part of the whole begins.
    private var places: [String: BSONValue] = [:]

    /// So many events are looked at together.
    private static let together = 2_000
    /// In this many looks everything was looked at, where changes may leave no trace: an hour, by default.
    private static let looksOfAll = 720.0
    /// Clocks differ, and what a request makes arrives a little later.
    private static let margin: Int64 = 15_000

    /// Whether parts of the whole are looked at besides, where changes may leave no trace.
    private let hasSlices: Bool

    /// Begins to follow.
    ///
    /// - Parameters:
    ///   - changes: The database.
    ///   - schema: What is right.
    ///   - token: The place in the stream of changes after which to begin; nil where there is none.
    ///   - begun: Since when changes are wanted where there is no stream, by the server's clock, in milliseconds since 1970.
    ///   - hasSlices: Whether parts of the whole are looked at besides, where changes may leave no trace.
    /// - Throws: `MongoError`.
    package init(
        _ changes: RecentChanges, _ schema: DatabaseSchema, after token: BSONDocument?, since begun: Int64,
        hasSlices: Bool = true
    ) async throws {
        (self.changes, self.schema, self.hasSlices) = (changes, schema, hasSlices)
        if let token {
            let stream = OpenStream(changes)
            try await stream.open(after: ResumeToken(token))
            source = .stream(stream, after: ResumeToken(token))
        } else {
            source = .index(since: begun)
        }
    }

    /// Whether changes are told as they come.
    package var isStream: Bool { if case .stream = source { true } else { false } }

    /// Since when changes are wanted that haven't been told, where there is no stream; by the server's clock.
    package var since: Int64? { if case .index(let since) = source { since } else { nil } }

    /// Takes what has changed since the last look; a stream waits for it.
    ///
    /// - Parameter limit: How long to wait where nothing has changed; where there is no stream, not at all.
    /// - Throws: `MongoError`. Asked again, also through an earlier copy of this, it goes on where that one had come to.
    package mutating func next(waiting limit: Duration) async throws -> Outcome {
        switch source {
        case .stream(let stream, let place):
            var collected = ChangeCollector(schema)
            let batch: ChangeStream.Batch
            do {
                batch = try await stream.next(after: place, waiting: limit)
            } catch let error as MongoError where error.isChangeHistoryLost {
                return .unknown(RecentChanges.lost)
            }
            for event in batch.events {
                if let reason = collected.add(ChangeEvent(event)) { return .unknown(reason) }
            }
            source = .stream(stream, after: batch.token)
            return .touched(collected.touched, batch.token.document)
        case .index(let since):
            let now = try await changes.serverTime()
            guard case .touched(var touched, _) = try await changes.byIndex(since: since, margin: Self.margin) else {
                return .unknown("more than \(RecentChanges.most) documents have come or changed at once")
            }
            if hasSlices {
                touched.slices = try await changes.slices(1 / Self.looksOfAll, after: places)
                places = touched.slices.compactMapValues(\.upper)
            }
            source = .index(since: now)
            return .touched(touched, nil)
        }
    }

    /// Ends it.
    package func close() async { if case .stream(let stream, _) = source { await stream.close() } }

    /// A stream of changes that is opened again where it broke, or where somebody goes back to an earlier place.
    private actor OpenStream {
        private let changes: RecentChanges
        private var current: (stream: ChangeStream, place: ResumeToken)?

        init(_ changes: RecentChanges) { self.changes = changes }

        func open(after place: ResumeToken) async throws {
            await close()
            current = (try await changes.stream(after: place, batchSize: ChangeFollower.together), place)
        }

        func next(after place: ResumeToken, waiting limit: Duration) async throws -> ChangeStream.Batch {
            if current?.place != place { try await open(after: place) }
            guard let stream = current?.stream else { throw MongoError(.internal, "A stream of changes isn't open.") }
            do {
                let batch = try await stream.next(waiting: limit)
                current = (stream, batch.token)
                return batch
            } catch {
                await close()
                throw error
            }
        }

        func close() async {
            guard let stream = current?.stream else { return }
            current = nil
            await stream.close()
        }
    }
}
