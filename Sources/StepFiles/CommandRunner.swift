internal import BSON
internal import Journal
internal import MigrationEngine
internal import MongoDriver

/// Runs the commands of a step's file, each once, whatever interrupts them.
///
/// Where the server has transactions, every command may belong to one and the documents are few, all of it is one
/// transaction. Elsewhere the commands run one by one, and the position among them is the checkpoint. What changes
/// documents is never left to the server alone: it is worked out first, journalled, and made by compare-and-set, so that
/// it is made once, can be reverted, and overwrites nothing that an application wrote meanwhile.
struct CommandRunner {
    let context: StepContext
    let file: StepFile
    let direction: MigrationDirection
    let version: Int64
    /// Where updates are worked out.
    let previewName = Preview.makeName()

    var run: Run { context.run }
    var database: Database { run.database }
    private var commands: [DatabaseCommand] { file.commands }

    /// Runs what is left to run.
    ///
    /// - Throws: ``CommandFailure`` with the command's position, ``EngineError`` of an interruption.
    func execute() async throws {
        let checkpoint = context.checkpoint.flatMap(StepCheckpoint.init)
        let isResumed = context.position.map { !$0.runs.isEmpty } ?? false
        if checkpoint.map({ $0.position == 0 && $0.begun == nil }) ?? true, try await fitsTransaction() {
            // A step that was begun command by command is resumed in the same way.
            let isBegun = isResumed ? try await hasEntries() : false
            if !isBegun { return try await executeInTransaction() }
        }
        let first = checkpoint?.position ?? 0
        if isResumed { try await removeOutputs(before: first) }
        for index in first..<commands.count {
            try await run.breathe()
            if index > first { try await pass(to: index) }
            try await attempt(index) {
                let begun = index == first ? checkpoint?.begun : nil
                if isResumed { try await checkUnedited(index, checkpoint, begun) }
                try await perform(index, wasBegun: begun, isResumed: isResumed)
            }
        }
        // A pass over all that match is over: it isn't to go on with those that come to match later.
        if case .change(let statements)? = commands.last?.kind, first < commands.count,
            statements.contains(where: \.isMulti)
        {
            try await pass(to: commands.count)
        }
    }

    /// Writes down that the commands in front of one are done, with what they have left.
    func pass(to index: Int) async throws {
        run.steps.closeFigures(of: version)
        try await context.save(checkpoint: checkpoint(at: index).document)
    }

    /// A command that was begun, and did something, has to be the same now.
    private func checkUnedited(_ index: Int, _ checkpoint: StepCheckpoint?, _ begun: BSONDocument?) async throws {
        guard let checkpoint, checkpoint.position == index, let command = checkpoint.command,
            try command != file.digest(of: index)
        else { return }
        let hasDone = begun != nil ? true : try await hasStanding(ofCommand: index)
        guard hasDone else { return }
        throw HalfApplied(
            sentence:
                "it is half done, and has been edited since; restore it in \(file.path). Or "
                + "\(StepFileAdvice.undoRunAndByHand), and \(EngineAdvice.declare(version, .reverted))")
    }

    /// Does a command's work, and says which it was that failed.
    func attempt(_ index: Int, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error where error.asStop is EngineError {
            guard case EngineError.refused = error else { throw error.asStop }
            throw failure(index, error)
        } catch let error as MongoError where error.isTransient {
            // The run goes on by itself.
            throw error
        } catch let error as EntryIsOpen {
            // So it does, once that is finished.
            throw error
        } catch {
            throw failure(index, error)
        }
    }

    private func failure(_ index: Int, _ error: any Error) -> CommandFailure {
        CommandFailure(
            position: index + 1, count: commands.count, command: commands[index].title, underlying: error)
    }

    func checkpoint(at index: Int, begun: BSONDocument? = nil) throws -> StepCheckpoint {
        try file.checkpoint(
            direction, position: index, begun: begun, figures: run.steps.closedFigures(of: version))
    }

    private func perform(_ index: Int, wasBegun begun: BSONDocument?, isResumed: Bool) async throws {
        let command = commands[index]
        if let refusal = command.refusal(on: database.name) { throw EngineError.refused(Sentence(refusal)) }
        let position = CommandPosition(index: index, isResumed: isResumed)
        if command.keepsImages, isResumed { try await claimEntries(position) }
        switch command.kind {
        case .insert(let documents) where try await isOrdinary(command.collection):
            try await insert(documents, command, position)
        case .change(let statements) where try await isJournalled(command, statements, position, begun):
            for (number, statement) in statements.enumerated() {
                try await run.recording(statement.code, in: command.collection ?? "", filter: statement.filter) {
                    try await change(statement, command, position.statement(number))
                }
            }
        case .createIndexes(let indexes): try await createIndexes(indexes, command, position)
        case .create: try await create(command, position)
        case .drop: try await destroy(command, command.collection ?? "", position, begun)
        case .aggregate(let target, let other, true) where other == nil || other == database.name:
            try await replace(target, by: command, position, begun)
        case .aggregate(let target, let other, false)
        where command.risk == .dangerous && (other == nil || other == database.name):
            try await destroy(command, target, position, begun)
        case .insert, .change, .aggregate, .other: try await runAsItIs(command, position, begun)
        }
    }
}
