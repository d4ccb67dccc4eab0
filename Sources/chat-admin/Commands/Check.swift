internal import ArgumentParser
internal import Chat
internal import Consistency
internal import InputFiles
import Journal
internal import Migrations

/// Looks for findings.
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look for damage; change nothing.",
        discussion: """
            Exits 0 when nothing is wrong, or only warnings were found, and 1 when something is wrong. Each finding names its code, \
            where it is, how many documents it concerns, and the command that mends it.
            """)

    @OptionGroup var options: GlobalOptions

    @Option(
        help: ArgumentHelp(
            "Look for these findings alone, such as id.empty,count.wrong; a prefix such as ref stands for all of its "
                + "kind.", valueName: "code,…"))
    var only: String?

    @Option(
        help: ArgumentHelp(
            "How long counts that look wrong are left alone before they are looked at again, for a request may be between "
                + "its two writes; 0 looks once.", valueName: "duration"))
    var settle = Span(10)

    @Flag(help: "Count warnings as findings.")
    var strict = false

    func validate() throws {
        _ = try codes()
        if let objection = Seconds.objection("--settle", to: settle) { throw ValidationError(objection) }
    }

    func run() async throws {
        try await CommandSession.run("check", options, requires: .chatDatabase) { session in
            let start = ContinuousClock.now
            let soFar = CheckSoFar()
            let codes = try codes()
            let database = session.database
            let freshness = try await Freshness(session, limit: options.maxStaleness)
            let made = try await Self.made(codes, database)
            session.soFar.tell {
                CheckResult(
                    soFar.report, database, freshness, made: made, duration: ContinuousClock.now - start
                )
            }
            let checker = Checker(
                database: database, schema: .chat, settle: settle.duration, progress: session.progress)
            let report = try await checker.check(codes, interruption: session.interruption, soFar: soFar)
            if !report.isCutShort { try await freshness.check() }
            let damage = report.isCutShort ? nil : try await Self.damage(report, database)
            let result = CheckResult(
                report, database, freshness, made: made, damage: damage, duration: ContinuousClock.now - start)
            try session.console.print(result, options.format)
            if report.isCutShort, let reason = session.interruption.reason {
                return ExitStatus(EngineError.interrupted(reason))
            }
            // What nobody has looked at isn't clean.
            let isWrong = !report.unchecked.isEmpty || (strict ? !report.findings.isEmpty : !report.isClean)
            return isWrong ? .findings : .done
        }
    }

    /// The newest of the damage that was found.
    private static func damage(_ report: CheckReport, _ database: Database) async throws -> DamageResult? {
        let found = Set(report.findings.map(\.code)).intersection(FindingCode.ofBug)
        guard !found.isEmpty else { return nil }
        do {
            return try await DamageResult.newest(database, found, isKnown: true)
        } catch is StateError {
            return nil  // As below.
        }
    }

    /// What applied steps have made, where somebody asks for it: what then isn't there got lost.
    private static func made(_ codes: Set<FindingCode>, _ database: Database) async throws -> Set<Installed> {
        guard !codes.isDisjoint(with: [.missingGuard, .missingIndex]) else { return [] }
        do {
            return try await Installed.made(in: database)
        } catch is StateError {
            // `migrate up` then says what is wrong with the ledger.
            return []
        }
    }

    private func codes() throws -> Set<FindingCode> {
        guard let only else { return Set(FindingCode.allCases) }
        var codes: Set<FindingCode> = []
        for name in only.split(separator: ",", omittingEmptySubsequences: false) {
            codes.formUnion(try FindingCode.named(String(name)))
        }
        return codes
    }
}

extension FindingCode {
    /// The codes that a name stands for: a code itself, or all of a kind, such as `ref`.
    ///
    /// - Throws: `ValidationError` with the codes where there is none.
    static func named(_ name: String) throws -> [FindingCode] {
        let matching = allCases.filter { $0.rawValue == name || $0.rawValue.hasPrefix("\(name).") }
        guard matching.isEmpty else { return matching }
        let codes = allCases.map(\.rawValue)
        let near = NearestName.of(name, among: codes).map { "Did you mean `\($0)`? " } ?? ""
        throw ValidationError("There is no finding `\(name)`. \(near)The codes are \(codes.joined(separator: ", ")).")
    }
}
