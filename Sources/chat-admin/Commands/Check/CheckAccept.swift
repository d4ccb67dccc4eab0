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
            apart. After its date it fails a check again.
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
            let made = try await kept.store(session.database).accept(acceptance)
            try session.console.print(
                AcceptedResult(command: session.command, database: session.database.name, [made]), options.format)
            return .done
        }
    }

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
