internal import Journal
public import Logging
internal import MongoDriver

/// Applies a series of steps to a database: the engine for programs that bring their own steps.
///
/// ```swift
/// let migrator = Migrator(series: "shop", steps: [AddStatus()])
/// try await migrator.connect("mongodb://127.0.0.1:27017", database: "shop") { shop in
///     for step in try await shop.up().steps { print("\(step.version) \(step.name): \(step.state)") }
/// }
/// ```
///
/// Lease, journal, ledger, resuming and retrying are those of the command-line tool. A task that is cancelled stops at the
/// next boundary between two batches; what it had begun is resumed by the next run.
///
/// ## Topics
/// - ``connect(_:database:_:)``
/// - ``Connected/status()``
/// - ``Connected/plan()``
/// - ``Connected/up(to:options:)``
/// - ``Connected/down(to:options:)``
/// - ``Connected/mark(_:_:options:)``
public struct Migrator: Sendable {
    /// The steps.
    let runner: MigrationRunner
    private let logger: Logger

    /// Makes a migrator.
    ///
    /// - Parameters:
    ///   - series: The name of the series in the ledger; a database can hold several.
    ///   - steps: The steps, in any order.
    ///   - logger: Hears of the commands that are sent, without what they hold.
    public init(series: String, steps: [any Migration], logger: Logger = Logger(label: "migrations")) {
        self.logger = logger
        runner = MigrationRunner(series: series, steps: steps)
    }

    /// Connects, and hands the connected migrator over.
    ///
    /// - Parameters:
    ///   - uri: The connection string. It may allow one connection only: a run needs a second for its lease, and gets it.
    ///   - database: The database's name.
    ///   - body: The work.
    /// - Throws: `EngineError.unsupportedServer(version:)`, `MongoError`, and what the closure throws.
    public func connect<R: Sendable>(
        _ uri: String, database: String, _ body: @Sendable (Connected) async throws -> R
    ) async throws -> R {
        let pool = try MongoPool(
            try ConnectionString(uri), options: RunLifecycle.poolOptions, logger: logger)
        return try await pool.withClient { client in
            let database = try await Database.open(client, name: database)
            return try await body(Connected(runner: runner, database: database, pool: pool))
        }
    }
}
