import BSON
import Journal
import MigrationEngine
import MongoDriver
import Synchronization
import TestSupport
import Testing

@Suite("Steps of a program's own")
struct MigratorTests {
    /// A step that inserts a document with its version, asks for something, and promises something.
    private struct Step: Migration {
        let version: Int64
        var name: String { "step-\(version)" }
        let summary = "Insert a document"
        var checksum: String?
        var needs: [String] = []
        var breaks: [String] = []

        func plan(_ database: Database) async throws -> StepPlan { StepPlan() }

        func up(_ context: StepContext) async throws {
            let id = BSONValue.int64(version)
            guard try await context.database.findAll("made", filter: ["_id": id]).isEmpty else { return }
            context.run.progress(ProgressUpdate("inserting", done: 1))
            try await context.run.insert([["_id": id]], into: "made", code: "insert")
        }

        func preconditions(_ database: Database) async throws -> [String] { needs }
        func postconditions(_ database: Database) async throws -> [String] { breaks }
    }

    private func made(_ database: TestDatabase) async throws -> [Int64] {
        try await database.all("made").compactMap { $0["_id"]?.integer }
    }

    private func connect<R: Sendable>(
        _ steps: [any Migration], _ database: TestDatabase,
        _ body: @Sendable (Migrator.Connected) async throws -> R
    ) async throws -> R {
        try await Migrator(series: "own", steps: steps).connect(database.uri, database: database.name, body)
    }

    @Test("are applied in order, once, and reverted from the journal", arguments: TestServer.Kind.allCases)
    func wholeWay(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await connect([Step(version: 20), Step(version: 3)], database) {
                (own: Migrator.Connected) async throws -> Void in
                #expect(try await own.plan().map(\.step.version) == [3, 20])
                #expect(try await own.up().steps.map(\.version) == [3, 20])
                #expect(try await own.up().steps.isEmpty)
                #expect(try await own.status().map(\.state) == [.applied, .applied])
                #expect(try await own.down().steps.map(\.version) == [20])
            }
            #expect(try await made(database) == [3])
            try await connect([Step(version: 3)], database) { (own: Migrator.Connected) async throws -> Void in
                #expect(try await own.down(to: 0).steps.map(\.version) == [3])
            }
            #expect(try await made(database) == [])
        }
    }

    @Test("fail before they begin when what they ask for isn't so, and can be tried again")
    func precondition() async throws {
        try await withDatabase { database in
            let error = await #expect(throws: MigrationFailure.self) {
                try await connect([Step(version: 1), Step(version: 2, needs: ["it is Monday"])], database) {
                    _ = try await $0.up()
                }
            }
            #expect(error?.done.steps.map(\.version) == [1])
            #expect(error?.done.changes == [Change(code: "insert", collection: "made", changed: 1)])
            #expect(error?.done.run != nil)
            #expect(
                "\(String(describing: error))".contains("Step 2 (step-2) failed: before it could begin, this wasn't so")
            )
            #expect(try await made(database) == [1])
            try await connect([Step(version: 1), Step(version: 2)], database) {
                (own: Migrator.Connected) async throws -> Void in
                #expect(try await own.status().map(\.state) == [.applied, .failed])
                #expect(try await own.up().steps.map(\.version) == [2])
            }
        }
    }

    @Test("that don't keep their promise have failed")
    func postcondition() async throws {
        try await withDatabase { database in
            let error = await #expect(throws: MigrationFailure.self) {
                try await connect([Step(version: 1, breaks: ["all is well"])], database) { _ = try await $0.up() }
            }
            #expect("\(String(describing: error))".contains("after it was applied, this wasn't so: all is well"))
            try await connect([Step(version: 1)], database) { (own: Migrator.Connected) async throws -> Void in
                #expect(try await own.status().map(\.state) == [.failed])
                #expect(try await own.up().steps.map(\.state) == [.applied])
            }
            #expect(try await made(database) == [1])
        }
    }

    @Test("keep the checksum that they were applied with")
    func checksum() async throws {
        try await withDatabase { database in
            try await connect([Step(version: 1, checksum: "a")], database) { _ = try await $0.up() }
            try await connect([Step(version: 1, checksum: "b")], database) {
                (own: Migrator.Connected) async throws -> Void in
                #expect(try await own.status().first?.problems == [.edited])
                await #expect(throws: EngineError.self) { _ = try await own.up() }
            }
        }
    }

    /// A step that inserts a hundred documents, several at once, and whose task may be cancelled right before.
    private struct Workers: Migration {
        let version: Int64 = 1
        let name = "workers"
        let summary = "Insert documents"
        let isCancelled: Bool

        func plan(_ database: Database) async throws -> StepPlan { StepPlan() }

        func up(_ context: StepContext) async throws {
            if isCancelled { withUnsafeCurrentTask { $0?.cancel() } }
            let numbers = Mutex<Int64>(0)
            try await context.run.inWorkers(2) { _ -> Int64? in
                numbers.withLock { number in
                    number += 1
                    return number <= 100 ? number : nil
                }
            } each: { run, number in
                try await run.insert([["_id": .int64(number)]], into: "made", code: "insert")
            }
        }
    }

    @Test(
        "aren't applied when their task is cancelled, and are by the next attempt",
        arguments: TestServer.Kind.allCases)
    func cancelled(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let work = Task {
                try await connect([Workers(isCancelled: true)], database) { try await $0.up().steps.map(\.state) }
            }
            let failure = await #expect(throws: MigrationFailure.self) { _ = try await work.value }
            guard case EngineError.interrupted(.cancelled)? = failure?.underlying else { throw try #require(failure) }
            try await connect([Workers(isCancelled: false)], database) {
                (own: Migrator.Connected) async throws -> Void in
                #expect(try await own.status().map(\.state) == [.applying])
                #expect(try await own.up().steps.map(\.state) == [.applied])
            }
            #expect(try await made(database).count == 100)
        }
    }

    @Test("give the lease back where the end of the run can't be written down")
    func endThatFails() async throws {
        try await withDatabase { database in
            try await connect([Step(version: 1), Step(version: 2)], database) {
                (own: Migrator.Connected) async throws -> Void in
                let refused = FailCommand("update", on: "\(database.name).chat_admin.runs").failing(code: 8000)
                try await database.withFailPoint(refused, mode: .alwaysOn) { _ in
                    let failure = await #expect(throws: MigrationFailure.self) { _ = try await own.up(to: 1) }
                    #expect(failure?.underlying is MongoError)
                }
                #expect(try await own.up().steps.map(\.version) == [2])
            }
        }
    }

    @Test("wait for another run as long as they are asked to, and tell of steps and of progress")
    func waiting() async throws {
        try await withDatabase { database in
            let told = Mutex<(steps: [Int64], updates: [String])>(([], []))
            let (begun, go) = (Gate(), Gate())
            let first = Task {
                try await connect([Waiting(begun: begun, go: go)], database) { try await $0.up().steps.map(\.version) }
            }
            await begun.wait()
            try await connect([Step(version: 1), Step(version: 2)], database) {
                (own: Migrator.Connected) async throws -> Void in
                let error = await #expect(throws: EngineError.self) { try await own.up() }
                guard case .leaseHeld = error else { throw try #require(error) }
                var options = Migrator.Options()
                options.wait = .seconds(60)
                options.finished = { step in told.withLock { $0.steps.append(step.version) } }
                options.progress = { update in told.withLock { $0.updates.append(update.what) } }
                async let second = own.up(options: options)
                go.open()
                let steps = try await second.steps
                #expect(steps.map(\.version) == [2])
            }
            #expect(try await first.value == [1])
            #expect(told.withLock { $0.steps } == [2])
            #expect(told.withLock { $0.updates }.contains("inserting"))
        }
    }

    @Test("need no more connections than a string allows", arguments: ["maxPoolSize=1", "maxPoolSize=1&minPoolSize=1"])
    func smallPool(option: String) async throws {
        try await withDatabase { database in
            let uri = database.uri + (database.uri.contains("?") ? "&" : "/?") + option
            let migrator = Migrator(series: "own", steps: [Workers(isCancelled: false)])
            try await migrator.connect(uri, database: database.name) {
                (own: Migrator.Connected) async throws -> Void in
                #expect(try await own.up().steps.map(\.state) == [.applied])
            }
            #expect(try await made(database).count == 100)
        }
    }

    @Test("are declared what they are")
    func marked() async throws {
        try await withDatabase { database in
            try await connect([Step(version: 1), Step(version: 2)], database) {
                (own: Migrator.Connected) async throws -> Void in
                try await own.mark(1, .applied)
                #expect(try await own.up().steps.map(\.version) == [2])
                try await own.mark(2, .reverted)
                #expect(try await own.status().map(\.state) == [.applied, .reverted])
                await #expect(throws: EngineError.self) { try await own.mark(3, .applied) }
            }
            #expect(try await made(database) == [2])
        }
    }

    /// A step that says that it has begun, and goes on when it is let.
    private struct Waiting: Migration {
        let version: Int64 = 1
        let name = "waiting"
        let summary = "Wait"
        let begun: Gate
        let go: Gate

        func plan(_ database: Database) async throws -> StepPlan { StepPlan() }

        func up(_ context: StepContext) async throws {
            begun.open()
            await go.wait()
        }
    }
}

/// Lets tasks through once it is open.
private final class Gate: Sendable {
    private let (stream, continuation) = AsyncStream<Void>.makeStream()

    func open() { continuation.finish() }
    func wait() async { for await _ in stream {} }
}
