internal import BSON
internal import Journal

/// Counters that were wrong at two looks, each time in another way: the application was at work on them.
///
/// One of them may be right in between, and is if the application merely began something new. Only what is met in round
/// after round never comes to rest.
struct MovedCounters: Sendable {
    /// So many are held; where there are more, they are no more than counted.
    static let limit = 20_000

    /// How many there are, by what is wrong with them.
    private(set) var counts: [FindingCode: Int] = [:]
    private var codes: [BSONValue: [FindingCode]] = [:]
    /// Whether all of them are held.
    private(set) var isWhole = true

    /// A few of them.
    func samples(_ code: FindingCode) -> [BSONValue] {
        Array(codes.lazy.filter { $0.value.contains(code) }.map(\.key).prefix(Leftover.mostSamples))
    }

    var isEmpty: Bool { counts.isEmpty }

    /// How many there are, whatever is wrong with each; of those that are no more than counted, at least so many.
    var count: Int { isWhole ? codes.count : counts.values.max() ?? 0 }

    /// The `_id`s of those that are held.
    var ids: some Collection<BSONValue> { codes.keys }

    mutating func add(_ observation: CounterObservation, _ counter: Counter) {
        add(observation.id, observation.mended(toleranceMS: counter.toleranceMS))
    }

    /// Adds one by what is wrong with it; twice the same is one.
    mutating func add(_ id: BSONValue, _ found: [FindingCode]) {
        guard !found.isEmpty, codes[id] == nil else { return }
        for code in found { counts[code, default: 0] += 1 }
        isWhole = isWhole && codes.count < Self.limit
        if isWhole { codes[id] = found }
    }

    static func += (sum: inout MovedCounters, more: MovedCounters) {
        guard more.isWhole, sum.isWhole else {
            sum.counts.merge(more.counts, uniquingKeysWith: +)
            sum.isWhole = false
            return
        }
        for (id, found) in more.codes { sum.add(id, found) }
    }

    /// Those that had moved in an earlier round, too.
    func since(_ earlier: MovedCounters?) -> MovedCounters {
        guard let earlier, isWhole, earlier.isWhole else { return self }
        var both = MovedCounters()
        for (id, found) in codes where earlier.codes[id] != nil { both.add(id, found) }
        return both
    }
}
