import BSON
import Journal
import Testing

@testable import Consistency

/// Setting a counter, tried against every interleaving with small applications that insert and delete in two halves.
///
/// The rule under test is the product's own (``CounterVerdict``, ``CounterObservation``, ``FieldChange``); the database
/// is a value, and time is the order of steps. A repair is wrong when, after everything has come to its end, the
/// counter is off by anything but what the application itself lost after the repair had looked.
@Suite("Counting against every interleaving")
struct CounterModelTests {
    @Test("no repair is wrong")
    func sound() {
        let result = Model(Repair()).run()
        print("model: \(result.interleavings) interleavings, \(result.applied) repairs, \(result.wrong) of them wrong")
        #expect(result.wrong == 0)
        #expect(result.applied > 1_000)
    }

    @Test("whichever half the first look reads first")
    func firstLookEitherWay() {
        #expect(Model(Repair(firstLook: [.messages, .counter])).run().wrong == 0)
    }

    /// What is taken out, and that the model then finds repairs that are wrong: it can tell.
    @Test(
        "without the settling, the order of reading, or the compare, some are",
        arguments: [
            ("settling", Repair(settles: false)), ("order", Repair(secondLook: [.messages, .counter])),
            ("compare-and-set", Repair(compares: false)), ("second look", Repair(looksTwice: false)),
            ("writing only once", Repair(writesOnce: false)),
        ])
    func unsound(what: String, repair: Repair) {
        let result = Model(repair).run()
        print("model: without \(what): \(result.wrong) of \(result.applied) repairs wrong")
        #expect(result.wrong > 0)
    }

    /// The algorithm's steps, with those parts that can be taken out.
    struct Repair: Sendable {
        enum Look: Sendable { case counter, messages }

        var settles = true
        var compares = true
        var looksTwice = true
        /// Whether a write whose outcome isn't known is followed by a look, not by the same write.
        var writesOnce = true
        var firstLook: [Look] = [.counter, .messages]
        var secondLook: [Look] = [.counter, .messages]
    }
}

/// What an application does to one session: two halves, of which the second may be lost.
private enum Script: CaseIterable {
    case send, sendLost, delete, deleteLost, deleteAgain

    var hasSecondHalf: Bool { self != .sendLost && self != .deleteLost }
}

private struct Model {
    typealias Repair = CounterModelTests.Repair

    let repair: Repair
    private static let counter = Counter(
        field: "n", latestField: "at", counted: "messages", reference: "s", deletedField: "deleted",
        createdField: "created", toleranceMS: 60_000)

    init(_ repair: Repair) { self.repair = repair }

    enum Step: Equatable {
        case look(first: Bool, CounterModelTests.Repair.Look)
        case settlingBegins, settlingEnds, write
        case firstHalf(Int)
        case secondHalf(Int)
    }

    struct Outcome {
        var interleavings = 0
        var applied = 0
        var wrong = 0
    }

    func run() -> Outcome {
        var outcome = Outcome()
        let kinds = Script.allCases
        for first in kinds.indices {
            for second in first..<kinds.count {
                let scripts = [kinds[first], kinds[second]]
                for drift in [Int64(-1), 0, 1] { explore(scripts, drift, &outcome) }
            }
        }
        return outcome
    }

    /// The repair's own steps, in their order.
    private var steps: [Step] {
        var steps: [Step] = repair.firstLook.map { .look(first: true, $0) }
        if repair.looksTwice {
            steps += [.settlingBegins, .settlingEnds] + repair.secondLook.map { .look(first: false, $0) }
        }
        return steps + (repair.writesOnce ? [.write] : [.write, .write])
    }

    private func explore(_ scripts: [Script], _ drift: Int64, _ outcome: inout Outcome) {
        let sequences =
            [steps]
            + scripts.enumerated().map { index, script in
                script.hasSecondHalf ? [Step.firstHalf(index), .secondHalf(index)] : [.firstHalf(index)]
            }
        var order: [Step] = []
        merge(sequences, Array(repeating: 0, count: sequences.count), &order) { order in
            guard isPossible(order) else { return }
            outcome.interleavings += 1
            let world = World(scripts, drift, Self.counter, repair).played(order)
            guard world.isApplied else { return }
            outcome.applied += 1
            if world.isWrong { outcome.wrong += 1 }
        }
    }

    /// Hands over every order in which some sequences can interleave.
    private func merge(
        _ sequences: [[Step]], _ positions: [Int], _ order: inout [Step], _ body: ([Step]) -> Void
    ) {
        var isComplete = true
        for index in sequences.indices where positions[index] < sequences[index].count {
            isComplete = false
            var next = positions
            next[index] += 1
            order.append(sequences[index][positions[index]])
            merge(sequences, next, &order, body)
            order.removeLast()
        }
        if isComplete { body(order) }
    }

    /// The settling time exceeds the longest gap between two halves: one that began before it has ended by its end.
    private func isPossible(_ order: [Step]) -> Bool {
        guard repair.settles, let begin = order.firstIndex(of: .settlingBegins),
            let end = order.firstIndex(of: .settlingEnds)
        else { return true }
        for index in 0..<2 {
            guard let first = order.firstIndex(of: .firstHalf(index)),
                let second = order.firstIndex(of: .secondHalf(index))
            else { continue }
            if first < begin, second > end { return false }
        }
        return true
    }
}

/// One session with its messages, what the repair has seen of them, and what the application has lost.
private struct World {
    private let scripts: [Script]
    private let counter: Counter
    private let repair: CounterModelTests.Repair
    private var count: Int64
    private var live: Int64 = 2
    private var total: Int64 = 3
    /// Whether the one message that both deletions are about is deleted.
    private var isDeleted = false
    /// Scripts whose deletion found the message deleted.
    private var repeated: Set<Int> = []
    private var seen: [Bool: (count: Int64?, truth: CountedValues?)] = [:]
    private(set) var isApplied = false
    /// What the application has lost, or done twice, since the repair looked: the drift that may remain.
    private var excusedDrift: Int64 = 0
    private var hasSeenCounter = false
    private var hasSeenMessages = false

    init(
        _ scripts: [Script], _ drift: Int64, _ counter: Counter, _ repair: CounterModelTests.Repair
    ) {
        self.scripts = scripts
        self.counter = counter
        self.repair = repair
        count = live + drift
    }

    var isWrong: Bool { count - live != excusedDrift }

    func played(_ order: [Model.Step]) -> World {
        var world = self
        for step in order { world.play(step) }
        return world
    }

    private mutating func play(_ step: Model.Step) {
        switch step {
        case .settlingBegins, .settlingEnds: break
        case .look(let isFirst, .counter):
            seen[isFirst, default: (nil, nil)].count = count
            if isFirst != repair.looksTwice { hasSeenCounter = true }
        case .look(let isFirst, .messages):
            seen[isFirst, default: (nil, nil)].truth = truth
            if isFirst != repair.looksTwice { hasSeenMessages = true }
        case .write: write()
        case .firstHalf(let index): firstHalf(index)
        case .secondHalf(let index): secondHalf(index)
        }
    }

    private mutating func firstHalf(_ index: Int) {
        switch scripts[index] {
        case .send, .sendLost:
            live += 1
            total += 1
            if scripts[index] == .sendLost, hasSeenMessages { excusedDrift -= 1 }
        case .delete, .deleteLost, .deleteAgain:
            if scripts[index] == .deleteAgain || isDeleted {
                repeated.insert(index)
            } else {
                isDeleted = true
                live -= 1
                if scripts[index] == .deleteLost, hasSeenMessages { excusedDrift += 1 }
            }
        }
    }

    private mutating func secondHalf(_ index: Int) {
        count += scripts[index] == .send ? 1 : -1
        // Deleting what is deleted decrements all the same: the application's own mistake, once the repair has looked.
        if repeated.contains(index), hasSeenCounter { excusedDrift -= 1 }
    }

    /// All clocks show the same moment, so that times tell nothing: the hardest case.
    private var truth: CountedValues {
        var truth = CountedValues()
        truth.live = live
        truth.total = total
        truth.newest = 1_000
        truth.newestLive = 1_000
        return truth
    }

    private func observation(_ isFirst: Bool) -> CounterObservation? {
        guard let (count, truth) = seen[isFirst], let count, let truth else { return nil }
        return CounterObservation(id: 1, count: .int64(count), latest: .date(1_000), truth: truth)
    }

    private mutating func write() {
        guard let first = observation(true) else { return }
        // The first look keeps only what is wrong.
        guard first.repair(counter) != nil else { return }
        let second = repair.looksTwice ? observation(false) : first
        guard let second,
            case .set(let change) = CounterVerdict(first: first, second: second, counter: counter)
        else { return }
        let stored: BSONDocument = ["n": .int64(count), "at": .date(1_000)]
        guard !repair.compares || change.isBefore(stored), let value = change.after["n"]?.integer else { return }
        count = value
        isApplied = true
    }
}
