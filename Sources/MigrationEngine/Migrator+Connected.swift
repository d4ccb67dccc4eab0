public import Journal
internal import MongoDriver

extension Migrator {
    /// How steps are applied, or reverted.
    ///
    /// ```swift
    /// var options = Migrator.Options()
    /// options.wait = .seconds(30)
    /// options.progress = { update in print(update.what, update.done) }
    /// ```
    public struct Options: Sendable {
        /// How long to wait for another run to end before `EngineError.leaseHeld(owner:since:)` is thrown.
        public var wait = Duration.zero
        /// How the steps behave, and what they may do.
        public var settings = RepairSettings()
        /// Whether pending steps are applied that are older than the newest applied one.
        public var allowsOutOfOrder = false
        /// Told how far long work has come, from whichever task does it.
        public var progress: ProgressReport = { _ in }
        /// Told of each step when it is done.
        public var finished: @Sendable (StepResult) -> Void = { _ in }
        /// Told in a sentence what people should know meanwhile, such as that the connection broke and the run goes on.
        public var remark: @Sendable (String) -> Void = { _ in }

        /// No waiting, the default settings, and nobody told.
        public init() {}
    }

    /// A migrator with a database to work on.
    ///
    /// ```swift
    /// try await migrator.connect(uri, database: "shop") { shop in
    ///     for (step, plan) in try await shop.plan() { print(step.name, plan.matched) }
    /// }
    /// ```
    public struct Connected: Sendable {
        let runner: MigrationRunner
        /// The database.
        public let database: Database
        let pool: MongoPool

        /// Where every step stands.
        ///
        /// - Throws: `MongoError`.
        public func status() async throws -> [StepStatus] {
            // Another program may have applied steps just now.
            database.forgetCatalog()
            return try await runner.status(database)
        }

        /// What the pending steps would do, oldest first. Changes nothing.
        ///
        /// - Throws: `EngineError` when steps and ledger contradict each other, `MongoError`.
        public func plan() async throws -> [(step: any Migration, plan: StepPlan)] {
            var plans: [(any Migration, StepPlan)] = []
            for step in try await runner.selection(.up(to: nil), database).steps {
                plans.append((step, try await step.plan(database)))
            }
            return plans
        }

        /// Applies the pending steps, oldest first.
        ///
        /// - Parameters:
        ///   - version: The last one to apply; nil for all.
        ///   - options: How.
        /// - Returns: The steps that were worked on, and what they changed.
        /// - Throws: ``MigrationFailure`` where something was done before it went wrong; `EngineError`, `MongoError`.
        @discardableResult
        public func up(to version: Int64? = nil, options: Options = Options()) async throws -> MigrationResult {
            try await work("migrate up", options) { run, description, finished in
                let selection = try await runner.selection(
                    .up(to: version), database, allowOutOfOrder: options.allowsOutOfOrder)
                try await runner.checkBlockers(selection, database, settings: options.settings)
                try await runner.up(
                    selection, StepContext(run: run, settings: options.settings), description, finished: finished)
            }
        }

        /// Reverts steps, newest first.
        ///
        /// - Parameters:
        ///   - version: Every step above it is reverted, 0 for all; nil for the newest alone.
        ///   - options: How.
        /// - Returns: The steps that were worked on, and what was put back.
        /// - Throws: ``MigrationFailure`` where something was done before it went wrong; `EngineError`, `MongoError`.
        @discardableResult
        public func down(to version: Int64? = nil, options: Options = Options()) async throws -> MigrationResult {
            var chosen: Set<Int64>?
            return try await work("migrate down", options) { run, description, finished in
                let selection =
                    if let chosen {
                        try await runner.selection(reverting: chosen, database)
                    } else {
                        try await runner.selection(.down(to: version), database)
                    }
                chosen = Set(selection.steps.map(\.version))
                try await runner.checkDownBlockers(selection, database, settings: options.settings)
                try await runner.down(
                    selection, StepContext(run: run, settings: options.settings), description, finished: finished)
            }
        }

        /// Declares in the ledger what a step is, without running anything.
        ///
        /// - Parameters:
        ///   - version: The step.
        ///   - state: What it is: applied by other means, or reverted by hand.
        ///   - options: How long to wait for another run.
        /// - Throws: `EngineError`, `MongoError`.
        public func mark(
            _ version: Int64, _ state: EngineAdvice.StepDeclaration, options: Options = Options()
        ) async throws {
            _ = try await work("migrate mark", options) { run, description, _ in
                let step = try await runner.step(version, database)
                try await runner.mark(
                    [step], state == .applied ? .applied : .reverted, run, description: description)
            }
        }

        private func work(
            _ command: String, _ options: Options,
            _ body: (Run, RunDescription, (StepResult) -> Void) async throws -> Void
        ) async throws -> MigrationResult {
            let lifecycle = RunLifecycle(
                database: database, pool: pool, progress: options.progress, remark: options.remark)
            let description = RunDescription(command: command, arguments: [], toolVersion: "library")
            var steps: [StepResult] = []
            var begun: Run?
            do {
                let run = try await lifecycle.perform(
                    description, wait: options.wait, offline: options.settings.offline
                ) { run in
                    begun = run
                    try await body(run, description) { step in
                        steps.append(step)
                        options.finished(step)
                    }
                }
                return MigrationResult(run, steps)
            } catch {
                guard let begun, begun.record.exists else { throw error.asStop }
                throw MigrationFailure(done: MigrationResult(begun, steps), underlying: error.asStop)
            }
        }
    }
}
