internal import Dispatch
internal import Glibc
internal import Journal
internal import Synchronization

/// One line that says how far a command is: written over again and again on a terminal, a new one every half minute elsewhere.
///
/// It moves each second, whether anything is reported or not: a line that stands still looks like a program that hangs.
final class ProgressLine: Sendable {
    private struct State {
        var update: ProgressUpdate?
        /// What is being done, also while it waits.
        var what: String?
        /// Where in a longer work this is, such as `step 2 of 6 (repair-ids)`.
        var stage: String?
        var since = ContinuousClock.now
        var rate = Rate()
        var lastReport = ContinuousClock.now
        var lastText = ""
        var isShown = false
        /// While somebody is asked, and once there is a result, nothing is shown.
        var isHeld = false
    }

    private let state = Mutex(State())
    /// Whether the line is written over again and again.
    private let redraws: Bool
    /// How many columns it may have; nil where that doesn't matter.
    private let width: @Sendable () -> Int?
    private let words: AdviceWords
    private let write: @Sendable (String) -> Void

    private static let lineBreak = "\n"
    private static let erase = "\r\u{1B}[K"

    /// Makes a line that shows nothing yet.
    init(
        redraws: Bool, words: AdviceWords, width: @escaping @Sendable () -> Int?,
        write: @escaping @Sendable (String) -> Void
    ) {
        (self.redraws, self.words, self.width, self.write) = (redraws, words, width, write)
        tick()
    }

    /// On a queue that may wait: a terminal can be stopped.
    private func tick() {
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(1)) { [weak self] in
            self?.draw()
            self?.tick()
        }
    }

    /// Says what is done now.
    func report(_ update: ProgressUpdate) {
        state.withLock { state in
            let now = ContinuousClock.now
            // Waiting is a part of what is being done.
            if update.waiting == nil, update.what != state.what {
                (state.what, state.since, state.rate) = (update.what, now, Rate())
            }
            state.rate.note(update.done, at: now)
            state.update = update
        }
        draw()
    }

    /// Says where in a longer work that is.
    func enter(stage: String) {
        state.withLock { state in
            (state.stage, state.update, state.what, state.since) = (stage, nil, nil, .now)
        }
    }

    /// Takes the line away, for something else to be printed.
    func clear() {
        state.withLock { state in
            if state.isShown { write(Self.erase) }
            state.isShown = false
        }
    }

    /// Takes the line away until it is released, or for good.
    func hold() {
        state.withLock { $0.isHeld = true }
        clear()
    }

    /// Shows it again.
    func release() { state.withLock { $0.isHeld = false } }

    private func draw() {
        // The terminal gets it under the lock: a line that is taken away must not come back.
        state.withLock { state in
            guard !state.isHeld, state.update != nil || state.stage != nil else { return }
            let now = ContinuousClock.now
            let interval: Duration = redraws ? .milliseconds(100) : .seconds(30)
            guard now - state.lastReport >= interval else { return }
            let text = self.text(state, now)
            guard text != state.lastText || (redraws && !state.isShown) else { return }
            (state.lastReport, state.lastText, state.isShown) = (now, text, redraws)
            write(redraws ? Self.erase + text : text + Self.lineBreak)
        }
    }

    private func text(_ state: State, _ now: ContinuousClock.Instant) -> String {
        var parts = [state.stage].compactMap { $0 }
        if let update = state.update { parts += Self.parts(update, state.rate, words) }
        parts.append(Self.whole((now - state.since).milliseconds))
        let text = PlainText.line(parts.joined(separator: " · "))
        // A line that is too long would begin a new one at each change.
        guard redraws, let width = width() else { return text }
        return Self.cut(text, width - 1)
    }

    private static func parts(_ update: ProgressUpdate, _ rate: Rate, _ words: AdviceWords) -> [String] {
        var parts = [update.what]
        if let total = update.total, total > 0 {
            let done = min(update.done, total)
            parts.append("\(Readable.count(done)) of \(Readable.count(total)), \(done * 100 / total) %")
        } else if update.done > 0 {
            parts.append("\(Readable.count(update.done)) changed")
        }
        if let waiting = update.waiting { return parts + [words.text(waiting)] }
        if let rate = rate.perSecond, rate >= 1 {
            parts.append("\(Readable.count(Int(rate)))/s")
            if let total = update.total, total > update.done {
                let left = Int64(Double(total - update.done) / rate * 1000)
                parts.append("\(whole(left)) left")
            }
        }
        return parts
    }

    /// A time in whole seconds.
    private static func whole(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        return seconds < 60 ? "\(seconds) s" : Readable.duration(milliseconds: seconds * 1000)
    }

    private static func cut(_ text: String, _ width: Int) -> String {
        guard TextWidth.of(text) > width else { return text }
        var short = text
        while TextWidth.of(short) > width - 1 { short.removeLast() }
        return short + "…"
    }
}

/// How fast something goes, over the last ten seconds.
struct Rate {
    private var samples: [(time: ContinuousClock.Instant, done: Int)] = []

    private static let window = Duration.seconds(10)
    /// A shorter time says nothing.
    private static let shortest = Duration.seconds(1)

    /// Notes how much is done at a moment.
    mutating func note(_ done: Int, at time: ContinuousClock.Instant) {
        // One sample each tenth of a second is enough.
        if let last = samples.last, time - last.time < Self.window / 100 { samples.removeLast() }
        samples.append((time, done))
        while samples.count > 2, time - samples[1].time >= Self.window { samples.removeFirst() }
    }

    /// How much is done in a second; nil where too little is known.
    var perSecond: Double? {
        guard let first = samples.first, let last = samples.last, last.time - first.time >= Self.shortest else {
            return nil
        }
        return Double(last.done - first.done) * (Duration.seconds(1) / (last.time - first.time))
    }
}
