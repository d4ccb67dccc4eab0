import Foundation
import Journal
import Synchronization
import Testing

@testable import chat_admin

@Suite("The line of progress")
struct ProgressLineTests {
    @Test("says what, how much of how much, how fast and how long still, within the terminal's width")
    func text() async throws {
        let line = Shown(width: 200)
        line.progress.enter(stage: "step 2 of 6 (repair-ids)")
        line.progress.report(ProgressUpdate("references of messages", done: 0, total: 10_000))
        try await line.wait { $0.contains("0 of 10,000, 0 %") }
        // A second is the shortest time that a rate is taken from.
        try await Task.sleep(for: .milliseconds(1100))
        line.progress.report(ProgressUpdate("references of messages", done: 5_000, total: 10_000))
        try await line.wait { $0.contains("5,000 of 10,000, 50 %") && $0.contains("/s") && $0.contains("left") }
        #expect(line.last.hasPrefix("step 2 of 6 (repair-ids) · references of messages · "))
        line.progress.report(ProgressUpdate("waiting", done: 5_000, waiting: "paused"))
        try await line.wait { $0.contains("5,000 of 10,000, 50 % · paused") }
    }

    @Test("moves each second, whether anything is reported or not")
    func ticks() async throws {
        let line = Shown(width: 80)
        line.progress.report(ProgressUpdate("checking messages"))
        try await line.wait { $0.hasSuffix(" 1 s") || $0.hasSuffix(" 2 s") }
        let before = line.last
        try await line.wait { $0 != before }
    }

    @Test("never goes backwards, and says why it waits beside how much is done")
    func waiting() async throws {
        let line = Shown(width: 200)
        line.progress.report(ProgressUpdate("counting messages", done: 70, total: 100))
        line.progress.report(ProgressUpdate("counting messages", done: 60, total: 100, waiting: "settling 4 s"))
        try await line.wait { $0.hasPrefix("counting messages · 70 of 100, 70 % · settling 4 s · ") }
        line.progress.report(ProgressUpdate("counting messages", done: 120, total: 100))
        try await line.wait { $0.hasPrefix("counting messages · 100 of 100, 100 % · ") }
        #expect(!line.last.contains("settling"))
    }

    @Test("tells how long it still takes by the time in which it didn't wait")
    func rateAfterWaiting() async throws {
        let line = Shown(width: 200)
        let start = ContinuousClock.now
        line.progress.report(ProgressUpdate("counting messages", done: 0, total: 10_000))
        line.progress.report(ProgressUpdate("counting messages", done: 0, total: 10_000, waiting: "settling 3 s"))
        try await Task.sleep(for: .seconds(3))
        let resumed = ContinuousClock.now
        for done in 1...5 {
            line.progress.report(ProgressUpdate("counting messages", done: done * 1_000, total: 10_000))
            if done < 5 { try await Task.sleep(for: .milliseconds(300)) }
        }
        let end = ContinuousClock.now
        try await line.wait { $0.contains("/s · ") && $0.contains(" left · ") }
        let shown = line.last.split(separator: " · ").first { $0.hasSuffix("/s") }.map { $0.filter(\.isNumber) }
        let (own, whole) = (
            4_000 * (Duration.seconds(1) / (end - resumed)), 5_000 * (Duration.seconds(1) / (end - start))
        )
        #expect(shown.flatMap { Double($0) } ?? 0 > (own + whole) / 2, "\(line.last), not \(own) a second")
    }

    @Test("leaves out what matters least where there is little room", arguments: [200, 80, 60, 40])
    func narrow(width: Int) async throws {
        let line = Shown(width: width)
        line.progress.enter(stage: "step 5 of 6 (recount)")
        let update = ProgressUpdate(
            "counting messages, round 2", done: 7_000, total: 10_000,
            waiting: "settling 4 s, round 2, 12 sessions still moving")
        line.progress.report(update)
        let shown =
            switch width {
            case 200:
                "step 5 of 6 (recount) · counting messages, round 2 · 7,000 of 10,000, 70 % · settling 4 s, "
                    + "round 2, 12 sessions still moving · "
            case 80: "step 5 of 6 · 70 % · settling 4 s, round 2, 12 sessions still moving · "
            default: "step 5 of 6 · 70 % · settling"
            }
        // The end, which moves each second, is there in any case.
        try await line.wait { $0.hasPrefix(shown) && $0.hasSuffix(" 1 s") }
        #expect(line.last.count < width)
    }

    @Test("is cut to the width, and never comes back once there is a result")
    func cut() async throws {
        let line = Shown(width: 40)
        line.progress.report(ProgressUpdate(String(repeating: "long ", count: 40)))
        try await line.wait { $0.contains("…") }
        #expect(line.last.count == 39 && line.last.hasSuffix("… · 0 s"))
        line.progress.hold()
        #expect(line.text.hasSuffix("\r\u{1B}[K"))
        let length = line.text.count
        line.progress.report(ProgressUpdate("more", done: 1))
        try await Task.sleep(for: .milliseconds(1200))
        #expect(line.text.count == length)
    }

    @Test("rates go by the last ten seconds")
    func rates() {
        let start = ContinuousClock.now
        var rate = Rate()
        rate.note(0, at: start)
        #expect(rate.perSecond == nil)
        rate.note(100, at: start + .seconds(10))
        #expect(rate.perSecond == 10)
        for second in 11...30 { rate.note(100 + (second - 10) * 50, at: start + .seconds(second)) }
        #expect(rate.perSecond == 50)
        rate.note(1100, at: start + .seconds(60))
        #expect((rate.perSecond ?? 1) < 10)
    }

    /// A line, and what it writes.
    private final class Shown: Sendable {
        let progress: ProgressLine

        init(width: Int) {
            let box = Box()
            progress = ProgressLine(
                redraws: true, words: AdviceWords(), width: { width }, write: { box.append($0) })
            self.box = box
        }

        private let box: Box

        var text: String { box.text }
        var last: String { text.components(separatedBy: "\r\u{1B}[K").last ?? "" }

        func wait(_ condition: (String) -> Bool) async throws {
            for _ in 0..<500 where !condition(last) { try await Task.sleep(for: .milliseconds(20)) }
            #expect(condition(last), "\(last)")
        }
    }

    private final class Box: Sendable {
        private let written = Mutex("")
        var text: String { written.withLock { $0 } }
        func append(_ text: String) { written.withLock { $0 += text } }
    }
}
