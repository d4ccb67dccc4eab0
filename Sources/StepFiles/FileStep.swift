package import BSON
package import Journal
package import MigrationEngine

/// A step whose work is written in files, as arrays of database commands.
package struct FileStep: Migration {
    /// The number in front of its files' names.
    package let version: Int64
    /// The title in its files' names.
    package let name: String
    /// The commands that apply it.
    let upFile: StepFile
    /// The commands that revert it, where there are some.
    let downFile: StepFile?
    /// As ``RepairSettings/journalLimit``, for the plan.
    let journalLimit: Int64

    init(version: Int64, title: String, up: StepFile, down: StepFile?, journalLimit: Int64) {
        self.journalLimit = journalLimit
        self.version = version
        name = title
        upFile = up
        downFile = down
    }

    /// What its commands do, in a line.
    package var summary: String {
        let titles = upFile.commands.map(\.title)
        let shown = titles.prefix(Self.shownCommands).joined(separator: ", ")
        return titles.isEmpty
            ? "No command"
            : shown + (titles.count > Self.shownCommands ? ", and \(titles.count - Self.shownCommands) more" : "")
    }

    private static let shownCommands = 3

    /// SHA-256 of the commands that apply it.
    package var checksum: String? { upFile.checksum }

    /// What earlier versions kept: that of the file's bytes.
    package var formerChecksums: Set<String> { upFile.formerChecksums }

    /// golang-migrate takes 0.
    package static var lowestVersion: Int64 { 0 }

    /// What golang-migrate has applied.
    package func appliedElsewhere(_ database: Database) async throws -> Sentence? {
        guard let applied = try await GolangMigrate.recorded(database), applied >= version else { return nil }
        return
            "golang-migrate has brought `\(database.name)` to version \(applied) (\(GolangMigrate.collection)), and this "
            + "tool's ledger knows nothing of it: its steps would run again. \(StepFileAdvice.baseline); or, if these steps "
            + "are none of its, \(EngineAdvice.declare(version, .reverted))"
    }

    /// Each command says what it does that isn't in the journal; a step without a file that reverts it needs to know.
    package var notesUnjournalled: Bool { !hasOwnDown }

    /// A file that reverts it.
    package var downAdvice: Sentence? { hasOwnDown ? nil : "write its .down.json" }

    /// Whether it has a file that reverts it.
    package var hasOwnDown: Bool { downFile != nil }

    /// What its commands do that can lose data.
    package func dangers(_ direction: MigrationDirection) -> [String] {
        (direction == .up ? upFile : downFile)?.commands.flatMap(\.dangers) ?? []
    }

    /// What the commands of its first file would do.
    package func plan(_ database: Database) async throws -> StepPlan {
        try await planner(database).plan(upFile)
    }

    /// What those of its commands would do that are still to be run.
    package func plan(_ database: Database, _ situation: StepSituation) async throws -> StepPlan {
        let saved = situation.isBegun ? situation.row?.attempt.checkpoint.flatMap(StepCheckpoint.init) : nil
        let position = saved?.direction == .up ? saved?.position ?? 0 : 0
        return try await planner(database).plan(upFile, from: position, ignoring: situation.touched)
    }

    /// What the commands of its second file would do.
    package func planDown(_ database: Database) async throws -> StepPlan {
        guard let downFile else { return StepPlan() }
        return try await planner(database).plan(downFile)
    }

    private func planner(_ database: Database) -> CommandPlanner {
        CommandPlanner(database: database, journalLimit: journalLimit)
    }

    /// What its commands would fail on.
    package func blockers(_ database: Database) async throws -> [String] {
        try await blockers(database, ignoring: [])
    }

    /// Whether an earlier attempt has done anything of it.
    package func isBegun(_ row: LedgerRow?, _ database: Database) async throws -> Bool {
        guard let row, MigrationPlanner.isEffective(row.state) else { return false }
        if let saved = row.attempt.checkpoint.flatMap(StepCheckpoint.init), saved.position > 0 || saved.begun != nil {
            return true
        }
        for run in row.attempt.runs {
            var filter = Undo.filter(run, version)
            filter["undone"] = nil
            filter["state"] = nil
            let found = try await database.findAll(
                StateCollection.journal, filter: filter, options: ["limit": 1, "projection": ["_id": 1]])
            if !found.isEmpty { return true }
        }
        return false
    }

    /// Whether the present attempt, which has failed, has changed anything, or may have.
    package func hasEffect(_ row: LedgerRow, _ database: Database) async throws -> Bool {
        guard let saved = row.attempt.checkpoint.flatMap(StepCheckpoint.init), saved.position == 0, saved.begun == nil,
            !row.attempt.isUnjournalled
        else { return true }
        for run in row.attempt.runs where try await Undo.hasEffect(database, run: run, step: version) { return true }
        return false
    }

    /// Counts as left what earlier attempts couldn't tell of: whoever ended them may have said nothing of it.
    package func nameUnknown(of runs: [ObjectID], _ run: Run) async throws {
        let list = { (field: String) -> BSONValue in ["$ifNull": [.string("$" + field), []]] }
        for id in runs where id != run.id {
            let found = try await run.database.aggregateAll(
                StateCollection.journal,
                [
                    ["$match": .document(Undo.filter(id, version))],
                    ["$match": ["kind": ["$in": ["documents", "fields"]]]],
                    [
                        "$project": [
                            "code": 1, "collection": 1,
                            "unknown": ["$setDifference": [list("missed"), list("again")]],
                        ]
                    ],
                    ["$match": ["unknown": ["$ne": []]]],
                ])
            for entry in found {
                let unknown = entry["unknown"]?.array?.values ?? []
                run.leaveUnknown(entry["code"]?.string ?? "", entry["collection"]?.string ?? "", unknown)
            }
        }
    }

    /// Why some of its commands aren't run at all.
    package func refusals(_ database: Database) -> [String] {
        upFile.commands.compactMap { $0.refusal(on: database.name) }
    }

    /// What its commands do to the data as it is that can lose it, beyond what they say.
    package func dangers(
        _ database: Database, _ direction: MigrationDirection, _ situation: StepSituation
    ) async throws -> [String] {
        guard let file = direction == .up ? upFile : downFile, direction == .down || !situation.isBegun else {
            return []
        }
        return try await planner(database).dangers(file, ignoring: situation.touched)
    }

    /// The collections that it changes.
    package var touched: Set<String> { upFile.commands.reduce(into: []) { $0.formUnion($1.touched) } }

    /// The same, of a step that isn't begun, where steps before it change some collections first.
    package func blockers(_ database: Database, _ situation: StepSituation) async throws -> [String] {
        situation.isBegun ? [] : try await blockers(database, ignoring: situation.touched)
    }

    private func blockers(_ database: Database, ignoring touched: Set<String>) async throws -> [String] {
        let refusals = refusals(database)
        return refusals.isEmpty ? try await planner(database).blockers(upFile, ignoring: touched) : refusals
    }

    /// What its commands would fail on, after the steps before it. What a file itself repeats shows when it is inserted: a
    /// step that was let begin goes as far as it can.
    package func preconditions(_ database: Database) async throws -> [String] {
        let refusals = refusals(database)
        guard refusals.isEmpty else { return refusals }
        var planner = planner(database)
        planner.looksWithin = false
        return try await planner.blockers(upFile)
    }

    /// Where it begins.
    package func firstCheckpoint(_ direction: MigrationDirection) throws -> BSONDocument? {
        try (direction == .up ? upFile : downFile)?.checkpoint(direction, position: 0).document
    }

    /// Why a half-done step can't be resumed in a direction; nil where it can.
    ///
    /// - Parameter row: What the ledger knows of it.
    package func objection(to direction: MigrationDirection, _ row: LedgerRow) throws -> Sentence? {
        // What an undo has left can't be told from what it has reverted as safely as a command needs it.
        if row.state == .reverting, direction == .up {
            return
                "it is half reverted; \(EngineAdvice.finishReverting()). Where something is left that can't be reverted, "
                + "\(EngineAdvice.declareEither(version))"
        }
        guard usesOwnDown(row) || direction == .up, let saved = row.attempt.checkpoint.flatMap(StepCheckpoint.init),
            let file = direction == .up ? upFile : downFile
        else { return nil }
        guard saved.direction == direction else {
            let other = saved.direction == .up ? "applied" : "reverted"
            return "it is half \(other); \(StepFileAdvice.finishOrUndo(saved.direction))"
        }
        guard saved.position <= file.commands.count, try saved.digest == file.digest(ofFirst: saved.position) else {
            return
                "its first \(saved.position) commands are done, and have been edited since; restore them in \(file.path)"
        }
        return nil
    }

    /// Why it can't be reverted: neither a file nor the journal tells how.
    package func downBlockers(_ database: Database) async throws -> [String] {
        if let downFile { return downFile.commands.compactMap { $0.refusal(on: database.name) } }
        let lost = upFile.commands.filter { !$0.isInJournal }.map(\.title)
        guard !lost.isEmpty else { return [] }
        return [
            "it has no .down.json, and the journal doesn't hold what \(lost.joined(separator: ", ")) changed"
        ]
    }

    /// Runs the commands of its first file.
    package func up(_ context: StepContext) async throws { try await execute(upFile, .up, context) }

    /// Runs the commands of its second file.
    package func down(_ context: StepContext) async throws {
        guard let downFile else { return }
        try await execute(downFile, .down, context)
    }

    private func execute(_ file: StepFile, _ direction: MigrationDirection, _ context: StepContext) async throws {
        let runner = CommandRunner(context: context, file: file, direction: direction, version: version)
        do {
            try await runner.execute()
        } catch {
            // What can't be removed now is emptied before it is used again.
            if file.commands.contains(where: \.usesPreview) { try? await Preview.remove(context.run) }
            throw error
        }
        if file.commands.contains(where: \.usesPreview) { try await Preview.remove(context.run) }
    }
}

extension DatabaseCommand {
    /// Whether its updates are worked out on copies.
    var usesPreview: Bool {
        guard case .change(let statements) = kind else { return false }
        return statements.contains { $0.update != nil }
    }

    /// Whether the journal alone can revert the command.
    var isInJournal: Bool {
        switch kind {
        case .insert, .create, .createIndexes, .drop: true
        case .change(let statements): !statements.contains(where: \.needsIndex)
        case .aggregate(_, let database, let isOut): database == nil && (isOut || risk == .dangerous)
        case .other: risk == .safe && !name.hasPrefix("create")
        }
    }
}
