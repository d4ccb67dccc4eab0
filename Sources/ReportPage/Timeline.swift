/// Checks in columns of equal width: one for each, and one where a check is missing.
struct Timeline: Sendable {
    /// What stands in a column.
    enum Column: Sendable, Equatable {
        /// A check ought to have been there.
        case gap
        /// Checks, by their positions; where there are many columns, several share one.
        case checks(Range<Int>)
    }

    /// From the oldest to the newest.
    let columns: [Column]
    /// So many checks, or missing ones, may share a column.
    let checksPerColumn: Int
    /// Whether a check ought to have been there since the last one.
    let isOverdue: Bool

    /// The most columns that can be told apart at the width of a page.
    static let mostColumns = 120
    /// So many times the usual distance between two checks, and one is missing: timers are started with some delay.
    private static let tolerance = 1.6
    /// Fewer checks, and whoever runs them does so by hand: there is no schedule that they could miss.
    private static let fewest = 4
    /// No timer starts checks more often, in milliseconds: they were tried out.
    private static let shortest: Int64 = 60_000
    /// The last check is late when so much time more has passed, in milliseconds: the next one may be looking still.
    private static let grace: Int64 = 300_000
    /// A longer absence is drawn no wider: of years of silence a page needn't be made.
    private static let longestGap = 10_000

    /// Places checks.
    ///
    /// - Parameters:
    ///   - times: When the checks were, oldest first, in milliseconds.
    ///   - now: The end; the time since the last check may be a gap too.
    init(times: [Int64], now: Int64) {
        let usual = Self.schedule(times)
        func missing(_ distance: Int64) -> Int {
            guard usual > 0, Double(distance) > Double(usual) * Self.tolerance else { return 0 }
            return min(max(Int((Double(distance) / Double(usual)).rounded()) - 1, 1), Self.longestGap)
        }
        var columns: [Column] = []
        for (index, time) in times.enumerated() {
            if index > 0 { columns += Array(repeating: .gap, count: missing(time - times[index - 1])) }
            columns.append(.checks(index..<index + 1))
        }
        let late = times.last.map { now - $0 > usual + Self.grace ? missing(now - $0) : 0 } ?? 0
        isOverdue = late > 0
        columns += Array(repeating: .gap, count: late)
        checksPerColumn = max((columns.count + Self.mostColumns - 1) / Self.mostColumns, 1)
        self.columns = Self.merged(columns, by: checksPerColumn)
    }

    /// The usual distance between two checks, in milliseconds; 0 where most of them come at no usual distance.
    private static func schedule(_ times: [Int64]) -> Int64 {
        let distances = zip(times, times.dropFirst()).map { $1 - $0 }.filter { $0 > 0 }.sorted()
        guard distances.count + 1 >= fewest else { return 0 }
        let usual = distances[distances.count / 2]
        let alike = distances.count {
            Double($0) <= Double(usual) * tolerance && Double($0) * tolerance >= Double(usual)
        }
        return usual >= shortest && alike * 2 > distances.count ? usual : 0
    }

    /// Neighbours share a column where there are too many.
    private static func merged(_ columns: [Column], by size: Int) -> [Column] {
        guard size > 1 else { return columns }
        return stride(from: 0, to: columns.count, by: size).map { start in
            let ranges = columns[start..<min(start + size, columns.count)].compactMap { column -> Range<Int>? in
                if case .checks(let range) = column { range } else { nil }
            }
            guard let first = ranges.first, let last = ranges.last else { return .gap }
            return .checks(first.lowerBound..<last.upperBound)
        }
    }

    /// The value of each column: the largest of its checks', and nil for a gap or where none has one.
    func values(_ value: (Int) -> Double?) -> [Double?] {
        columns.map { column in
            guard case .checks(let range) = column else { return nil }
            return range.compactMap(value).max()
        }
    }
}
