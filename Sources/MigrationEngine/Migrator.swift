public import Journal
public import Logging
internal import MongoDriver

/// Applies a series of steps to a database: the engine for programs that bring their own steps.
///
/// ```swift
/// let migrator = Migrator(series: "shop", steps: [AddStatus()])
/// try await migrator.connect("mongodb://127.0.0.1:27017", database: "shop") { shop in
///     for step in try await shop.up() { print("\(step.version) \(step.name): \(step.state)") }
/// }
/// ```
///
/// Lease, journal, ledger, resuming and retrying are those of the command-line tool.
///
/// ## Topics
/// - ``connect(_:database:_:)``: the database to work on.
/// - ``Connected/status()``, ``Connected/plan()``: what is applied, and what would happen.
/// - ``Connected/up(to:settings:)``, ``Connected/down(to:settings:)``: apply steps and take them back.
public struct Migrator: Sendable {
    /// The steps.
    package let runner: MigrationRunner
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
    ///   - uri: The connection string.
    ///   - database: The database's name.
    ///   - body: The work.
    /// - Throws: `MongoError`, and what the closure throws.
    public func connect<R: Sendable>(
        _ uri: String, database: String, _ body: @Sendable (Connected) async throws -> R
    ) async throws -> R {
        let pool = try MongoPool(try ConnectionString(uri), logger: logger)
        return try await pool.withClient { client in
            let database = Database(client: client, name: database, server: try await client.describeServer())
            return try await body(
                Connected(runner: runner, lifecycle: RunLifecycle(database: database, pool: pool)))
        }
    }

    /// A migrator with a database to work on.
    public struct Connected: Sendable {
        let runner: MigrationRunner
        let lifecycle: RunLifecycle

        /// The database.
        public var database: Database { lifecycle.database }

        /// Where every step stands.
        ///
        /// - Throws: `MongoError`.
        public func status() async throws -> [StepStatus] { try await runner.status(database) }

        /// What the pending steps would do, oldest first. Changes nothing.
        ///
        /// - Throws: ``EngineError`` when steps and ledger contradict each other, `MongoError`.
        public func plan() async throws -> [(step: any Migration, plan: StepPlan)] {
            var plans: [(any Migration, StepPlan)] = []
            for step in try await runner.selection(.up(to: nil), database) {
                plans.append((step, try await step.plan(database)))
            }
            return plans
        }

        /// Applies the pending steps, oldest first.
        ///
        /// - Parameters:
        ///   - version: The last one to apply; nil for all.
        ///   - settings: How they behave, and what they may do.
        /// - Returns: The steps that were worked on.
        /// - Throws: ``EngineError``, `MongoError`.
        public func up(
            to version: Int64? = nil, settings: RepairSettings = RepairSettings()
        ) async throws -> [StepResult] {
            try await work("migrate up", settings) { run, description, finished in
                let selection = try await runner.selection(.up(to: version), database)
                try await runner.checkBlockers(selection, database, settings: settings)
                try await runner.up(
                    selection, StepContext(run: run, settings: settings), description, finished: finished)
            }
        }

        /// Takes steps back, newest first.
        ///
        /// - Parameters:
        ///   - version: Every step above it is taken back, 0 for all; nil for the newest alone.
        ///   - settings: How they behave, and what they may do.
        /// - Returns: The steps that were worked on.
        /// - Throws: ``EngineError``, `MongoError`.
        public func down(
            to version: Int64? = nil, settings: RepairSettings = RepairSettings()
        ) async throws -> [StepResult] {
            // Going on after a broken connection must not take back another step than the one begun.
            let chosen = try await runner.selection(.down(to: version), database).map(\.version)
            return try await work("migrate down", settings) { run, description, finished in
                let selection = try await runner.selection(.down(to: -1), database).filter {
                    chosen.contains($0.version)
                }
                try await runner.checkDownBlockers(selection, database, settings: settings)
                try await runner.down(
                    selection, StepContext(run: run, settings: settings), description, finished: finished)
            }
        }

        private func work(
            _ command: String, _ settings: RepairSettings,
            _ body: (Run, RunDescription, (StepResult) -> Void) async throws -> Void
        ) async throws -> [StepResult] {
            let description = RunDescription(command: command, arguments: [], toolVersion: "library")
            var results: [StepResult] = []
            _ = try await lifecycle.perform(description) { run in
                try await body(run, description) { results.append($0) }
            }
            return results
        }
    }
}
