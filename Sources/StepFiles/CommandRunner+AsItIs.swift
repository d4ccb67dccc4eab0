internal import BSON
internal import Journal
internal import MigrationEngine
internal import MongoDriver

/// Commands that are sent as they are: those that the journal knows nothing of, and what goes to the server of others.
extension CommandRunner {
    /// Runs a command that the journal knows nothing of, or not all.
    func runAsItIs(_ command: DatabaseCommand, _ position: CommandPosition, _ begun: BSONDocument?) async throws {
        try await run.recording(command.name, in: command.collection ?? "") {
            var isNoted = command.isInJournal && command.isOther ? false : try await context.noteUnjournalled()
            // An attempt that was killed had noted it, for this command.
            if begun?["noted"]?.bool == true { isNoted = true }
            do {
                try await send(command, position, begun, isNoted: isNoted)
            } catch let error as MongoError where error.isRefusal && isNoted && command.isUntouched(by: error) {
                try await context.retractUnjournalled()
                throw error
            }
            if command.risk != .safe || command.name.hasPrefix("create") {
                run.counts.count(
                    command: position.number, of: version, command.name, command.collection ?? "")
            }
        }
    }

    private func send(
        _ command: DatabaseCommand, _ position: CommandPosition, _ begun: BSONDocument?, isNoted: Bool
    ) async throws {
        var mark = begun ?? [:]
        if begun == nil, isNoted { mark.append("noted", true) }
        if command.canBeDoneAlready {
            if begun == nil, let presence = try await presence(of: command) {
                mark.append("presence", .string(presence.rawValue))
            }
            try await begin(position, mark) {
                do {
                    try await send(command.document)
                } catch let error as MongoError where begun != nil && command.meansDone(error) {
                    // Only an attempt that got no answer may have done it, and only what wasn't so before.
                    guard let before = mark["presence"]?.string.flatMap(Presence.init) else {
                        throw HalfApplied.unknown(version, direction)
                    }
                    guard before == command.presenceToChange else { throw error }
                }
            }
        } else if command.isRepeatable, mark.isEmpty {
            try await send(command.document)
        } else {
            guard begun == nil || command.isRepeatable else { throw HalfApplied.unknown(version, direction) }
            try await begin(position, mark, isUntouched: command.isUntouched) { try await send(command.document) }
        }
    }

    /// Looks whether what a command makes or takes away is there; nil where the server doesn't say so to this user.
    private func presence(of command: DatabaseCommand) async throws -> Presence? {
        if command.name == "dropIndexes" {
            let indexes = try await database.client.listIndexes(database.namespace(command.collection ?? ""))
            let found = command.droppedIndexes.map { wanted in
                indexes.contains { $0["name"] == wanted || IndexMatch.sameKey($0, ["key": wanted]) }
            }
            return found.allSatisfy { $0 } ? .present : found.contains(true) ? .partly : .absent
        }
        let isAboutRoles = command.name.hasSuffix("Role")
        let name = command.document[command.name] ?? .null
        do {
            let reply = try await database.client.run(
                [isAboutRoles ? "rolesInfo" : "usersInfo": name], on: database.name)
            let found = reply[isAboutRoles ? "roles" : "users"]?.array?.values ?? []
            return found.isEmpty ? .absent : .present
        } catch let error as MongoError where error.kind == .unauthorized {
            return nil
        }
    }

    /// Writes down that a command is about to run, runs it, and withdraws the note when the server refused it.
    ///
    /// - Parameter isUntouched: Whether a refusal says that nothing was done; else the note stays.
    func begin(
        _ position: CommandPosition, _ mark: BSONDocument, isUntouched: (MongoError) -> Bool = { _ in true },
        _ body: () async throws -> Void
    ) async throws {
        try await noteBegun(position, mark)
        do {
            try await body()
        } catch let error as MongoError where error.isRefusal {
            if isUntouched(error) { try await context.save(checkpoint: checkpoint(at: position.index).document) }
            throw error
        }
    }

    /// Writes down that a command is about to run, and makes sure of the lease: whoever takes it later finds the note.
    func noteBegun(_ position: CommandPosition, _ mark: BSONDocument) async throws {
        try await context.save(checkpoint: checkpoint(at: position.index, begun: mark).document)
        do {
            try await run.confirmLease()
        } catch EngineError.leaseLost {
            // Nothing was sent. Whoever has claimed the step by now keeps the note, and finds that it can't be told.
            try? await context.save(checkpoint: checkpoint(at: position.index).document)
            throw EngineError.leaseLost
        }
    }

    func send(_ command: BSONDocument) async throws {
        if CatalogCommand.names.contains(command.keys.first ?? "") {
            try await run.changeCatalog(command)
        } else {
            try await run.writer.run(command, on: database.name)
        }
    }
}

/// Whether what a command makes or takes away was there before it ran.
private enum Presence: String {
    case present
    case absent
    /// Some of it.
    case partly
}

extension DatabaseCommand {
    /// What the command changes: where it was otherwise, the command was refused.
    fileprivate var presenceToChange: Presence { name.hasPrefix("create") ? .absent : .present }
}
