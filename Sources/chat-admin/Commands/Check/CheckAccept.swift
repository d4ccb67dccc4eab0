internal import ArgumentParser
internal import BSON
internal import Chat
internal import Checks
internal import Consistency
internal import Journal
internal import StepFiles

/// Accepts a finding: it doesn't make a check fail until a date.
struct CheckAccept: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept", abstract: "Accept a finding, so that it doesn't make a check fail until a date.",
        discussion: """
            Without --id all of the finding's documents are accepted, also those to come. Checks show what is accepted \
            apart. After its date it fails a check again. It warns where the last recorded check has found no such thing.
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var kept: RecordOptions

    @Argument(
        help: ArgumentHelp(
            "The finding, such as ref.dangling, ref.dangling:messages or ref.dangling:messages.session_id.",
            valueName: "code[:collection[.field]]"))
    var finding: String

    @Option(help: "Only the document with this _id; may be given several times.")
    var id: [DocumentID] = []

    @Option(help: "Why.")
    var reason: String

    @Option(help: ArgumentHelp("Until when, as 2027-03-31, or `forever`.", valueName: "date"))
    var until: String

    func validate() throws {
        _ = try parts()
        _ = try end()
        if reason.allSatisfy(\.isWhitespace) { throw ValidationError("--reason must say why.") }
    }

    func run() async throws {
        try await CommandSession.run(
            "check accept", options, requires: .chatDatabase, changes: kept.recordFile == nil
        ) { session in
            let (code, collection, field) = try parts()
            let acceptance = Acceptance(
                code: code, collection: collection, field: field, subjects: id.isEmpty ? nil : id.flatMap(\.values),
                reason: reason, until: try end(), at: WallClock.milliseconds,
                user: RunDescription(command: "", arguments: [], toolVersion: "").user)
            let records = try await kept.records(session.database, limit: Check.comparedRecords)
            let match = try AcceptanceMatch(acceptance, documents: id.map(\.values), records: records)
            let made = try await kept.store(session.database).accept(acceptance)
            let warnings = warnings(match, acceptance)
            try session.console.print(
                AcceptedResult(
                    command: session.command, database: session.database.name, [made], warnings: warnings),
                options.format)
            for warning in warnings { session.console.error("chat-admin: \(warning)") }
            return .done
        }
    }

    /// What somebody wants to know who has misspelt something: it may be meant for what is to come, so that it is no error.
    private func warnings(_ match: AcceptanceMatch, _ acceptance: Acceptance) -> [String] {
        let what =
            acceptance.code
            + (acceptance.collection.map { " of \(Readable.place($0, acceptance.field))" } ?? "")
        guard let check = match.check else {
            return ["No recorded check has looked for \(what): whether this accepts anything isn't known."]
        }
        let last = "The last recorded check (\(check.number), \(TimeText.iso8601(check.at))) found no \(what)"
        guard !id.isEmpty else { return match.isFound ? [] : ["\(last); this is for what is to come."] }
        let ids = match.unfound.map { id[$0].text }
        guard !ids.isEmpty else { return [] }
        let shown = ids.prefix(Self.mostShown).map { $0.isEmpty ? "\"\"" : $0.excerpt(maximumCharacters: 100) }
        let rest = ids.count > shown.count ? " and \((ids.count - shown.count).withSeparators) more" : ""
        return ["\(last) with the _id \(shown.joined(separator: ", "))\(rest): nothing is accepted by that yet."]
    }

    /// More _ids aren't named one by one.
    private static let mostShown = 5

    /// The finding's code, collection and field.
    private func parts() throws -> (code: String, collection: String?, field: String?) {
        let halves = finding.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let codes = try FindingCode.named(halves[0])
        guard codes.count == 1, codes[0].rawValue == halves[0] else {
            throw ValidationError(
                "`\(halves[0])` stands for several findings (\(codes.map(\.rawValue).joined(separator: ", "))). Accept one."
            )
        }
        guard halves.count == 2 else { return (halves[0], nil, nil) }
        let place = halves[1].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let collections = DatabaseSchema.chat.collections.map(\.name) + [StateCollection.journal]
        guard collections.contains(place[0]) else {
            throw ValidationError(
                "There is no collection `\(place[0])`. There are \(collections.dropLast().joined(separator: ", ")).")
        }
        return (halves[0], place[0], place.count == 2 ? place[1] : nil)
    }

    /// When it ends, in milliseconds since 1970: with the end of the day, in UTC.
    private func end() throws -> Int64? {
        if until == "forever" { return nil }
        guard let day = DateText.milliseconds(day: until) else {
            throw ValidationError("--until must be a date such as 2027-03-31, or `forever`; there is no `\(until)`.")
        }
        let end = day + 86_400_000
        guard end > WallClock.milliseconds else { throw ValidationError("--until \(until) is over.") }
        return end
    }
}

/// Lists what is accepted.
struct CheckAccepted: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "accepted", abstract: "List what is accepted.")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var kept: RecordOptions

    func run() async throws {
        try await CommandSession.run("check accepted", options, requires: .chatDatabase) { session in
            let accepted = try await kept.store(session.database).acceptances()
            try session.console.print(
                AcceptedResult(command: session.command, database: session.database.name, accepted), options.format)
            return .done
        }
    }
}

/// Takes an acceptance back.
struct CheckUnaccept: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unaccept", abstract: "Take an acceptance back; `check accepted` lists them.")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var kept: RecordOptions

    @Argument(help: "Its number.")
    var number: Int64

    func run() async throws {
        try await CommandSession.run(
            "check unaccept", options, requires: .chatDatabase, changes: kept.recordFile == nil
        ) { session in
            let store = kept.store(session.database)
            guard try await store.unaccept(number) else {
                throw Failure(.usage, "Nothing is accepted by the number \(number). `check accepted` lists what is.")
            }
            try session.console.print(
                AcceptedResult(
                    command: session.command, database: session.database.name, try await store.acceptances()),
                options.format)
            return .done
        }
    }
}
