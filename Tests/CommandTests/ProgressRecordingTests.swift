import Foundation
import TestSupport
import Testing

/// What is seen of a long command on a terminal, recorded with the times.
@Suite("The progress of a long command", .serialized)
struct ProgressRecordingTests {
    /// The proof is about 300,000 messages (`Tests/README.md`); a fifth of them tell the same in a fifth of the time.
    private static let messages =
        ProcessInfo.processInfo.environment["CHAT_ADMIN_MESSAGES"].flatMap { Int($0) } ?? 60_000

    /// The line moves each second. A machine that tests keep busy may be late by another one.
    private static let longestGap = Duration.seconds(2)
    /// In less time there is no half time to speak of: the line shows whole seconds.
    private static let shortestJudged = Duration.seconds(3)

    /// On a machine that does all in so short a time no work may take long enough to be judged.
    private static let quick = Duration.seconds(10)

    /// Nobody can tell how long something still takes on a machine that becomes twice as fast meanwhile, because a build
    /// beside it has ended: then it is measured again. What is never excused is to go backwards.
    private static let attempts = 3

    @Test(
        "moves each second, never backwards, and tells at half time how long it still takes", .timeLimit(.minutes(10)))
    func migrateUp() async throws {
        var judgements: [Judgement] = []
        for _ in 0..<Self.attempts where !Judgement.areRight(judgements) {
            judgements.append(try await Self.recordMigrateUp())
        }
        #expect(Judgement.areRight(judgements), "\(judgements.map(\.words))")
        print("progress: \(judgements.map(\.words).joined(separator: "\nprogress: "))")
    }

    @Test("of a plan, a dry run and a check tells how much of it is done, too")
    func looks() async throws {
        try await withDatabase { database in
            try await database.makeBroken(messages: 20_000)
            for (command, words) in [
                (["migrate", "plan"], #/planning step 3 of 6.* [0-9]+ %/#),
                (["repair", "references", "--dry-run"], #/references · .* [0-9]+ %/#),
                (["check", "--settle", "0"], #/checking messages · [0-9] of [0-9], [0-9]+ %/#),
            ] {
                let recording = try await TerminalRecording.of(command + target(database), columns: 180)
                #expect(recording.text.contains(words), "\(command): \(recording.text)")
            }
        }
    }

    /// What is to be said of one recording.
    private struct Judgement {
        let words: String
        /// Whether the line moved in time.
        let moves: Bool
        /// Whether what was said at half time was within a factor of two, by work; the line shows whole seconds. Of those
        /// that took long enough.
        let halfTimes: [String: Bool]
        let isQuick: Bool

        init(_ recording: TerminalRecording, _ longest: Duration) {
            let judged = works(recording).sorted { $0.key < $1.key }.compactMap { name, moments in
                halfTime(moments).map { (name: name, estimate: $0.estimate, actual: $0.actual) }
            }
            let second = Duration.seconds(1)
            moves = longest < longestGap
            isQuick = recording.duration < quick
            halfTimes = judged.reduce(into: [:]) { right, work in
                right[work.name] =
                    work.estimate <= work.actual * 2 + second && work.actual <= work.estimate * 2 + second
            }
            let said = judged.map { "\($0.name): \($0.estimate) left, and it took \($0.actual)" }
            words =
                "migrate up of \(messages) messages took \(recording.duration), \(recording.lines.count) lines, the longest "
                + "for \(longest); at half time " + said.joined(separator: "; ")
        }

        /// Whether the line has moved in time, and has told of each work when it would be done.
        static func areRight(_ judgements: [Judgement]) -> Bool {
            let halfTimes = judgements.reduce(into: [:]) { $0.merge($1.halfTimes) { $0 || $1 } }
            let isJudged = !halfTimes.isEmpty || judgements.contains { $0.isQuick }
            return judgements.contains { $0.moves } && isJudged && halfTimes.values.allSatisfy { $0 }
        }
    }

    private static func recordMigrateUp() async throws -> Judgement {
        try await withDatabase { database in
            try await database.makeBroken(messages: messages)
            let recording = try await TerminalRecording.of(
                ["migrate", "up", "--yes", "--settle", "2"] + target(database), columns: 180)
            try #require(recording.exitCode == 0, "\(recording.text)")

            let times = [.zero] + recording.pieces.map(\.time) + [recording.duration]
            let gaps = zip(times, times.dropFirst()).map { $1 - $0 }
            let longest = gaps.max() ?? .zero
            let works = works(recording)
            for (name, moments) in works {
                let done = moments.compactMap(\.done)
                #expect(zip(done, done.dropFirst()).allSatisfy { $0 <= $1 }, "\(name) went backwards: \(done)")
                #expect(moments.allSatisfy { $0.percent ?? 0 <= 100 }, "\(name)")
            }
            for name in ["new _ids and references", "references", "counting messages"] {
                #expect(works.keys.contains { $0.hasSuffix(" · \(name)") }, "\(works.keys)")
            }
            #expect(recording.lines.contains { $0.text.contains(" · settling ") && $0.text.contains(" %") })
            return Judgement(recording, longest)
        }
    }

    @Test(
        "is told of a known total by each repair, though no plan was made",
        arguments: [TestServer.Kind.standalone, .replicaSet])
    func repairs(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.makeBroken(messages: 12_000)
            for (repair, what) in [
                ("ids", "new _ids and references"), ("references", "references"), ("counts", "counting messages"),
            ] {
                let recording = try await TerminalRecording.of(
                    ["repair", repair, "--yes", "--settle", "1"] + target(database), columns: 180)
                #expect(recording.exitCode == 0, "\(recording.text)")
                let moments = Self.works(recording)[what] ?? []
                #expect(moments.contains { $0.percent != nil }, "repair \(repair): \(recording.text)")
            }
        }
        try await withDatabase(on: kind) { database in
            try await database.makeBroken(messages: 12_000)
            let recording = try await TerminalRecording.of(
                ["repair", "all", "--yes", "--settle", "1"] + target(database), columns: 180)
            #expect(recording.exitCode == 0, "\(recording.text)")
            let works = Self.works(recording)
            for what in ["new _ids and references", "references and fields", "counting messages"] {
                #expect(works[what]?.contains { $0.percent != nil } ?? false, "\(what): \(recording.text)")
            }
        }
    }

    /// What the line said at a moment.
    private struct Moment {
        let time: Duration
        let done: Int?
        let percent: Int?
        /// How long it still takes, where that was said.
        let left: Duration?
    }

    /// The moments of each piece of work, by stage and work as the line names them.
    private static func works(_ recording: TerminalRecording) -> [String: [Moment]] {
        Dictionary(
            grouping: recording.lines.compactMap { line -> (name: String, moment: Moment)? in
                let parts = line.text.components(separatedBy: " · ")
                guard let amount = parts.firstIndex(where: { $0.hasSuffix(" %") }) else { return nil }
                let numbers = parts[amount].split(separator: " ").map { $0.filter(\.isNumber) }
                let left = parts.first { $0.hasSuffix(" left") }.flatMap(duration)
                let moment = Moment(
                    time: line.time, done: numbers.first.flatMap { Int($0) },
                    percent: numbers.dropLast().last.flatMap { Int($0) }, left: left)
                return (parts[..<amount].joined(separator: " · "), moment)
            }, by: \.name
        ).mapValues { $0.map(\.moment) }
    }

    /// `12 s left`, or `2 min 3 s left`.
    private static func duration(_ text: String) -> Duration? {
        var sum = Duration.zero
        let words = text.split(separator: " ").dropLast()
        for (number, unit) in zip(words, words.dropFirst()) {
            guard let number = Int(number) else { continue }
            switch unit {
            case "s": sum += .seconds(number)
            case "min": sum += .seconds(60 * number)
            case "h": sum += .seconds(3600 * number)
            default: return nil
            }
        }
        return sum
    }

    /// What was said at half time of some work, and how long it then really took; nil where that is too short, or where it
    /// waited then.
    private static func halfTime(_ moments: [Moment]) -> (estimate: Duration, actual: Duration)? {
        guard let start = moments.first?.time, let end = (moments.first { $0.percent == 100 } ?? moments.last)?.time,
            end - start >= shortestJudged
        else { return nil }
        let half = start + (end - start) / 2
        guard let said = moments.last(where: { $0.time <= half }), let estimate = said.left else { return nil }
        return (estimate, end - said.time)
    }
}
