internal import Dispatch
internal import Glibc
internal import Journal
internal import Synchronization

/// One line that says how far a command is: written over again and again on a terminal, a new one every half minute elsewhere.
///
/// It moves each second, whether anything is reported or not: a line that stands still looks like a program that hangs. How
/// much is done never goes backwards.
final class ProgressLine: Sendable {
    fileprivate struct State {
        /// What is being done, and how much of it, also while it waits.
        var update: ProgressUpdate?
        /// Why nothing moves just now.
        var waiting: Sentence?
        /// Where in a longer work this is, such as `step 2 of 6 (repair-ids)`.
        var stage: String?
        var since = ContinuousClock.now
        var rate = Rate()
        /// When more was done last, and whether there was something to wait for since.
        var lastAdvance = ContinuousClock.now
        var hasWaited = false
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
    /// More often nobody can read it.
    private static let shortest = Duration.milliseconds(100)
    /// So often it is looked whether the line has to move: a second's change shows a fifth of a second later at most.
    private static let tickTime = DispatchTimeInterval.milliseconds(200)
    /// A longer wait says nothing about how fast the work goes.
    private static let longestCounted = Duration.seconds(2)

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
        DispatchQueue.global().asyncAfter(deadline: .now() + (redraws ? Self.tickTime : .seconds(1))) { [weak self] in
            self?.draw()
            self?.tick()
        }
    }

    /// Says what is done now.
    func report(_ update: ProgressUpdate) {
        state.withLock { state in
            let now = ContinuousClock.now
            state.waiting = update.waiting
            if update.waiting != nil { state.hasWaited = true }
            // Waiting is a part of what is being done: where nothing is said of that, it stands.
            guard update.waiting == nil || update.total != nil || state.update == nil else { return }
            state.take(update, at: now, isOld: { now - $0 > Self.longestCounted })
        }
        draw()
    }

    /// Says where in a longer work that is.
    func enter(stage: String) {
        state.withLock { state in
            (state.stage, state.update, state.waiting, state.since) = (stage, nil, nil, .now)
        }
        draw()
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
            let interval: Duration = redraws ? Self.shortest : .seconds(30)
            guard now - state.lastReport >= interval else { return }
            let text = self.text(state, now)
            guard text != state.lastText || (redraws && !state.isShown) else { return }
            (state.lastReport, state.lastText, state.isShown) = (now, text, redraws)
            write(redraws ? Self.erase + text : text + Self.lineBreak)
        }
    }

    private func text(_ state: State, _ now: ContinuousClock.Instant) -> String {
        var parts: [ProgressPart] = []
        if let stage = state.stage { parts.append(ProgressPart(stage, short: stage.prefix { $0 != "(" })) }
        if let update = state.update {
            parts.append(ProgressPart(update.what, isDispensable: parts.count > 0))
            parts += Self.amount(update)
            if state.waiting == nil { parts += Self.pace(update, state.rate, idle: now - state.lastAdvance) }
        }
        if let waiting = state.waiting { parts.append(ProgressPart(words.text(waiting))) }
        parts.append(ProgressPart(Self.whole((now - state.since).milliseconds)))
        guard redraws, let width = width() else { return ProgressPart.line(parts) }
        // A line that is too long would begin a new one at each change.
        return ProgressPart.line(parts, within: width - 1)
    }

    private static func amount(_ update: ProgressUpdate) -> [ProgressPart] {
        var parts: [ProgressPart] = []
        if let total = update.total, total > 0 {
            let done = min(update.done, total)
            let percent = "\(done * 100 / total) %"
            parts.append(
                ProgressPart("\(Readable.count(done)) of \(Readable.count(total)), \(percent)", short: percent))
        } else if update.done > 0 {
            parts.append(ProgressPart("\(Readable.count(update.done)) changed"))
        }
        return parts
    }

    /// How fast it goes, and how long it still takes.
    private static func pace(_ update: ProgressUpdate, _ rate: Rate, idle: Duration) -> [ProgressPart] {
        guard let rate = rate.perSecond, rate >= 1 else { return [] }
        var parts = [ProgressPart("\(Readable.count(Int(rate)))/s", isDetail: true)]
        if let total = update.total, total > update.done {
            // What comes in large parts goes on while nothing is told of it.
            let left = Int64(Double(total - update.done) / rate * 1000)
            parts.append(ProgressPart("\(whole(max(left - idle.milliseconds, left / 2, 1000))) left"))
        }
        return parts
    }

    /// A time in whole seconds.
    private static func whole(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        return seconds < 60 ? "\(seconds) s" : Readable.duration(milliseconds: seconds * 1000)
    }
}

extension ProgressLine.State {
    /// Shows an update from now on.
    ///
    /// - Parameter isOld: Whether a moment is too long ago to be a part of the rate.
    fileprivate mutating func take(
        _ new: ProgressUpdate, at now: ContinuousClock.Instant, isOld: (ContinuousClock.Instant) -> Bool
    ) {
        // Work that is begun anew, after a broken connection, has another total.
        let isNew = { (old: ProgressUpdate) in
            old.what != new.what || (new.done < old.done && new.total.map { $0 != old.total } ?? false)
        }
        guard let old = update, !isNew(old) else {
            (update, since, rate, lastAdvance, hasWaited) = (new, now, Rate(), now, false)
            rate.note(new.done, at: now)
            return
        }
        let done = max(old.done, new.done)
        if done > old.done {
            // How long it waited for something else says nothing about its own pace.
            if hasWaited, isOld(lastAdvance) { rate = Rate() }
            (lastAdvance, hasWaited) = (now, false)
        }
        update = ProgressUpdate(new.what, done: done, total: new.total ?? old.total)
        if waiting == nil { rate.note(done, at: now) }
    }
}
