internal import BSON
internal import MongoDriver

/// Runs the commands of a step's file, each once, whatever interrupts them.
///
/// Where the server has transactions, every command may belong to one and the documents are few, all of it is one
/// transaction. Elsewhere the commands run one by one, and the position among them is the checkpoint. What changes
/// documents is never left to the server alone: it is worked out first, journalled, and made by compare-and-set, so that
/// it is made once, can be taken back, and overwrites nothing that an application wrote meanwhile.
struct CommandRunner {
    let context: StepContext
    let file: StepFile
    let direction: MigrationDirection
    let version: Int64

    var run: Run { context.run }
    var database: Database { run.database }
    private var commands: [DatabaseCommand] { file.commands }

    /// Runs what is left to run.
    ///
    /// - Throws: ``CommandFailure`` with the command's position, ``EngineError`` of an interruption.
    func execute() async throws {
        let checkpoint = context.checkpoint.flatMap(StepCheckpoint.init)
        let isResumed = context.place.map { !$0.runs.isEmpty } ?? false
        if checkpoint == nil, try await fitsTransaction() {
            // A step that was begun command by command is gone on with in the same way.
            let isBegun = isResumed ? try await hasEntries() : false
            if !isBegun { return try await executeInTransaction() }
        }
        let first = checkpoint?.position ?? 0
        for index in first..<commands.count {
            try await run.breathe()
            if index > first { try await context.save(checkpoint: position(index).document) }
            try await attempt(index) {
                let begun = index == first ? checkpoint?.begun : nil
                if isResumed { try await checkUnedited(index, checkpoint, begun) }
                try await perform(index, wasBegun: begun, isResumed: isResumed)
            }
        }
    }

    /// A command that was begun, and did something, has to be the same now.
    private func checkUnedited(_ index: Int, _ checkpoint: StepCheckpoint?, _ begun: BSONDocument?) async throws {
        guard let checkpoint, checkpoint.position == index, let command = checkpoint.command,
            try command != file.digest(of: index)
        else { return }
        let hasDone = begun != nil ? true : try await entries(ofCommand: index).contains { !$0.isUndone }
        guard hasDone else { return }
        throw HalfApplied(
            description:
                "it is half done, and has been edited since; restore it in \(file.path), or take back what it did "
                + "with `runs undo`")
    }

    /// Does a command's work, and says which it was that failed.
    func attempt(_ index: Int, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as EngineError {
            guard case .refused = error else { throw error }
            throw failure(index, error)
        } catch let error as MongoError where error.isTransient {
            // The run goes on by itself.
            throw error
        } catch {
            throw failure(index, error)
        }
    }

    private func failure(_ index: Int, _ error: any Error) -> CommandFailure {
        CommandFailure(
            position: index + 1, count: commands.count, command: commands[index].title, underlying: error)
    }

    func position(_ index: Int, begun: BSONDocument? = nil) throws -> StepCheckpoint {
        try file.checkpoint(direction, position: index, begun: begun)
    }

    private func perform(_ index: Int, wasBegun begun: BSONDocument?, isResumed: Bool) async throws {
        let command = commands[index]
        if let refusal = command.refusal { throw EngineError.refused(refusal) }
        let place = CommandPlace(index: index, isResumed: isResumed)
        switch command.kind {
        case .insert(let documents): try await insert(documents, command, place)
        case .change(let statements) where try await isJournalled(command, statements):
            for (number, statement) in statements.enumerated() {
                let name = statement.update == nil ? "delete" : "update"
                try await run.recording(name, in: command.collection ?? "", filter: statement.filter) {
                    try await change(statement, command, place.statement(number))
                }
            }
        case .createIndexes(let indexes): try await createIndexes(indexes, command, place)
        case .create: try await create(command, place)
        case .drop: try await destroy(command, command.collection ?? "", place, begun)
        case .aggregate(let target, let other, true) where other == nil || other == database.name:
            try await replace(target, by: command, place, begun)
        case .aggregate(let target, let other, false)
        where command.risk == .dangerous && (other == nil || other == database.name):
            try await destroy(command, target, place, begun)
        case .change, .aggregate, .other: try await runAsItIs(command, place, begun)
        }
    }
}

/// Where a command stands in a step's file, as the journal's entries carry it.
struct CommandPlace {
    /// The command's index, from 0.
    let index: Int
    /// Whether an earlier attempt may have begun it.
    let isResumed: Bool
    private var statementNumber = 0

    init(index: Int, isResumed: Bool) {
        self.index = index
        self.isResumed = isResumed
    }

    func statement(_ number: Int) -> CommandPlace {
        var place = self
        place.statementNumber = number
        return place
    }

    /// More than the statements that one command of the server may have (100,000).
    private static let statements: Int64 = 1 << 20

    /// The numbers of all statements of a command.
    static func numbers(ofCommand index: Int) -> Range<Int64> {
        Int64(index) * statements..<Int64(index + 1) * statements
    }

    func journalPlace(isRetry: Bool = false) -> JournalPlace { JournalPlace(position: number, isRetry: isRetry) }

    var number: Int64 { Int64(index) * Self.statements + Int64(statementNumber) }
}

/// How far a step's file has been run, as the ledger keeps it.
struct StepCheckpoint {
    let direction: MigrationDirection
    /// The index of the command to go on with.
    let position: Int
    /// Of the commands in front of it.
    let digest: String
    /// Of that command; nil behind the last one.
    let command: String?
    /// Present while that command, which the journal can't resolve, may have been run: what it found.
    let begun: BSONDocument?

    init(direction: MigrationDirection, position: Int, digest: String, command: String?, begun: BSONDocument?) {
        self.direction = direction
        self.position = position
        self.digest = digest
        self.command = command
        self.begun = begun
    }

    init?(_ document: BSONDocument) {
        guard let direction = document["direction"]?.string.flatMap(MigrationDirection.init(rawValue:)),
            let position = document["position"]?.integer, let digest = document["digest"]?.string
        else { return nil }
        self.init(
            direction: direction, position: Int(position), digest: digest, command: document["command"]?.string,
            begun: document["begun"]?.document)
    }

    var document: BSONDocument {
        var document: BSONDocument = [
            "direction": .string(direction.rawValue), "position": .int64(Int64(position)), "digest": .string(digest),
        ]
        if let command { document.append("command", .string(command)) }
        if let begun { document.append("begun", .document(begun)) }
        return document
    }
}
