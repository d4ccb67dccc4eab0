internal import FoundationEssentials
internal import Migrations

/// The files of a new step in Swift: source, registration, test.
struct SwiftStepFiles {
    let name: String
    /// The folder of the checkout.
    let package: String

    private var registry: String { "\(package)/Sources/Migrations/ChatMigrations.swift" }

    /// Writes them.
    ///
    /// - Throws: ``Failure``.
    func make() throws -> CreateResult {
        let text: String
        do {
            text = try String(contentsOfFile: registry, encoding: .utf8)
        } catch {
            throw Failure(
                .usage,
                "\(registry) can't be read: --swift works in a checkout of chat-admin, which --package names. A program "
                    + "with steps of its own has no need of it: see docs/writing-steps.md.")
        }
        let end = "\n    ]\n"
        guard text.contains(end) else {
            throw Failure(.badInput, "\(registry) has no list of steps to add one to.")
        }
        let version = (try Self.versions(in: text).max() ?? 0) + 1
        let type = Self.typeName(version, name)
        let source = "\(package)/Sources/Migrations/\(type).swift"
        let test = "\(package)/Tests/MigrationsTests/\(type)Tests.swift"
        try NewFile.reporting("\(package)/Tests/MigrationsTests") {
            try FileManager.default.createDirectory(
                atPath: "\(package)/Tests/MigrationsTests", withIntermediateDirectories: true)
        }
        try NewFile.write(Self.source(type, version, name), to: source)
        try NewFile.write(Self.test(type, version, name), to: test)
        let registered = text.replacing(end, with: "\n        \(type)(),\(end)", maxReplacements: 1)
        try NewFile.reporting(registry) {
            try Data(registered.utf8).write(to: URL(fileURLWithPath: registry), options: .atomic)
        }
        return CreateResult(
            version: version, files: [source, test, registry],
            next: "Write its summary, plan and up, and what its test expects; then `make test`.")
    }

    /// The versions of the steps that are registered, by the names of their types.
    private static func versions(in registry: String) throws -> [Int64] {
        registry.matches(of: /Step(\d+)\w*\(\)/).compactMap { Int64($0.output.1) }
    }

    /// `add-status` with the version 7 becomes `Step007AddStatus`.
    private static func typeName(_ version: Int64, _ name: String) -> String {
        let words = name.split { $0 == "-" || $0 == "_" }.map { $0.prefix(1).uppercased() + $0.dropFirst() }
        let digits = String(version)
        return "Step" + String(repeating: "0", count: max(3 - digits.count, 0)) + digits + words.joined()
    }

    private static func source(_ type: String, _ version: Int64, _ name: String) -> String {
        """
        internal import BSON
        internal import Journal
        internal import MigrationEngine

        /// What the step does, and why.
        struct \(type): Migration {
            let version: Int64 = \(version)
            let name = "\(name)"
            let summary = "What it does, in a sentence"
            let checksum = SourceChecksums.of(#fileID)

            /// What it would do to the data as it is.
            func plan(_ database: Database) async throws -> StepPlan { StepPlan() }

            /// Changes the database through `context.run`, which journals everything. It must be repeatable.
            func up(_ context: StepContext) async throws {}
        }

        """
    }

    private static func test(_ type: String, _ version: Int64, _ name: String) -> String {
        """
        import MigrationEngine
        import Migrations
        import Testing

        @Suite("Step \(version), \(name)")
        struct \(type)Tests {
            @Test("is registered once, and its source is watched over")
            func isRegistered() throws {
                let steps = ChatMigrations.steps.filter { $0.version == \(version) }
                #expect(steps.map(\\.name) == ["\(name)"])
                #expect(steps.first?.checksum != nil)
            }
        }

        """
    }
}
