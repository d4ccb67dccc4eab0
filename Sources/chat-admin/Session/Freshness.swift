internal import BSON
internal import FoundationEssentials
internal import Journal
internal import MongoDriver

/// Of what moment the data are that a command has read, and whether that is recent enough to judge by.
struct Freshness: Sendable {
    private let session: CommandSession
    private let limit: Duration
    private let start: Date

    /// Begins to watch what is read.
    ///
    /// - Parameter limit: How old the data may be.
    /// - Throws: ``Failure`` where the member that answers is further behind already, `MongoError`.
    init(_ session: CommandSession, limit: Span) async throws {
        self.session = session
        self.limit = limit.duration
        let hello = try await Self.hello(session)
        let serverTime = hello["localTime"]?.date
        session.pool.resetReads(serverTime: serverTime)
        start = serverTime.map { Date(timeIntervalSince1970: Double($0) / 1000) } ?? Date()
        try refuse(Self.age(hello, session))
    }

    /// The moment that all data read so far are not older than: by the set's own time, or, where there is no replica set,
    /// by the server's clock when the command began.
    var asOf: Date {
        session.pool.oldestRead.map { Date(timeIntervalSince1970: Double($0.seconds)) } ?? start
    }

    /// When the command began, by the server's clock, in milliseconds since 1970.
    var began: Int64 { Int64(start.timeIntervalSince1970 * 1000) }

    /// How far the data were behind when they were read, at worst.
    var lag: Duration { session.pool.longestReadLag ?? .zero }

    /// Refuses what was read if it was too old when it was read.
    ///
    /// - Throws: ``Failure``, `MongoError`.
    func check() async throws {
        try refuse(lag)
        try refuse(Self.age(try await Self.hello(session), session))
    }

    private func refuse(_ age: Duration) throws {
        guard age > limit else { return }
        throw Failure(
            .unreachable,
            "What the server shows is \(age.components.seconds) s old, more than --max-staleness allows "
                + "(\(limit.components.seconds) s): a member lags behind, or too many members are away for a majority. "
                + "Nothing can be said of the data as they are now.")
    }

    private static func hello(_ session: CommandSession) async throws -> BSONDocument {
        try await session.database.client.run(
            ["hello": 1], on: "admin", mode: .read, readPreference: session.database.readPreference)
    }

    /// How far a secondary is behind by its own clock: cut off from the others it doesn't hear how time goes on.
    private static func age(_ hello: BSONDocument, _ session: CommandSession) -> Duration {
        guard hello["secondary"]?.bool == true, let now = hello["localTime"]?.date,
            let written = hello.value(at: "lastWrite", "lastWriteDate")?.date
        else { return .zero }
        return .milliseconds(max(now - written, 0))
    }
}
