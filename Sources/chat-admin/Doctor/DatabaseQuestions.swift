internal import BSON
internal import Chat
internal import Consistency
internal import Journal
internal import Migrations
internal import MongoDriver

/// What is asked of the database: the application's collections, and this tool's own state.
struct DatabaseQuestions {
    let session: CommandSession
    let diagnoses: Diagnoses

    private var database: Database { session.database }

    func ask() async throws {
        try await diagnoses.ask("collections") { try await collections() }
        try await diagnoses.ask("lease") { [try await lease()] }
        try await diagnoses.ask("runs") { [try await runs()] }
        try await diagnoses.ask("journal") { [try await journal()] }
        try await diagnoses.ask("guard") { try await catalogue() }
    }

    private func collections() async throws -> [Diagnosis] {
        let present = try await database.collections()
        let names = DatabaseSchema.chat.collections.map(\.name)
        let missing = names.filter { present[$0] == nil }
        var answers = names.compactMap { name -> Diagnosis? in
            guard let type = present[name]?.type, present[name]?.isOrdinary == false else { return nil }
            return .failure(
                "collections", "\(name) is a \(type): it can't be checked or repaired.",
                advice: "Put an ordinary collection in its place.")
        }
        if missing.count == names.count {
            answers.append(
                .failure(
                    "collections", "`\(database.name)` has none of the collections \(names.joined(separator: ", ")).",
                    advice: "Name the right database with --database; `chat-admin seed` makes a new one."))
        } else if !missing.isEmpty {
            answers.append(
                .warning(
                    "collections", "`\(database.name)` has no \(missing.joined(separator: ", ")).",
                    advice: "Right where the application has never written one; not after a restore."))
        } else if answers.isEmpty {
            answers.append(.good("collections", "All \(names.count) collections of the application are there."))
        }
        do {
            try StateCollection.check(present, isChanged: true)
        } catch {
            answers.append(.failure("state", Sentence(of: error).description))
        }
        return answers
    }

    private func lease() async throws -> Diagnosis {
        switch try await Lease.holding(database) {
        case .free: .good("lease", "It is free.")
        case .over(let owner, let since):
            .good("lease", "It is free; \(owner), who took it on \(since), never gave it back.")
        case .held(let owner, let since):
            .warning(
                "lease", "It is held by \(owner), since \(since): nobody else can change anything now.",
                advice: "Wait for that run to end; one that was killed holds it for half a minute at most.")
        }
    }

    private func runs() async throws -> Diagnosis {
        let open = try await Resumer.left(database, session.interruption).reduce(0) { $0 + $1.count }
        guard open == 0 else {
            return .warning(
                "runs",
                "A run was killed, and left \(Readable.count(open)) open entr\(open == 1 ? "y" : "ies") in the journal.",
                advice: "The next command that changes something finishes them, such as `repair all`.")
        }
        if case .held = try await Lease.holding(database) { return .good("runs", "One is at work.") }
        guard try await RunLifecycle.isUnfinished(database) else { return .good("runs", "None is unfinished.") }
        return .warning(
            "runs", "A run was killed; it left nothing open in the journal.",
            advice: "The next command that changes something closes it.")
    }

    private func journal() async throws -> Diagnosis {
        guard try await database.collections()[StateCollection.journal] != nil else {
            return .good("journal", "There is none yet: nothing was ever changed.")
        }
        let entries = try await database.documentCount(of: StateCollection.journal)
        let size = try await database.dataSize(of: StateCollection.journal)
        return .good(
            "journal", "\(Readable.count(entries)) entr\(entries == 1 ? "y" : "ies"), \(Readable.size(bytes: size)).")
    }

    private func catalogue() async throws -> [Diagnosis] {
        let checker = Checker(database: database, schema: .chat) { _ in }
        let report = try await checker.check([.missingGuard, .missingIndex], interruption: session.interruption)
        let made = try await Installed.made(in: database)
        return [FindingCode.missingGuard, .missingIndex].map { code in
            let name = code == .missingGuard ? "guard" : "indexes"
            let found = report.findings.filter { $0.code == code }
            guard let command = found.first?.repair(made) else {
                guard report.unchecked.isEmpty else {
                    let places = report.unchecked.joined(separator: ", ")
                    return .warning(name, "Not looked at: \(places).", advice: nil)
                }
                return .good(name, code == .missingGuard ? "It stands before every collection." : "All are there.")
            }
            let places = Set(found.map(\.collection)).sorted().joined(separator: ", ")
            return .warning(
                name, "Missing: \(found.count), in \(places).", advice: "`\(command)` makes what is missing.")
        }
    }
}
