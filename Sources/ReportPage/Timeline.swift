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

    /// The most columns that can be told apart at the width of a page.
    static let mostColumns = 120
    /// So many times the usual distance between two checks, and one is missing: timers are started with some delay.
    private static let tolerance = 1.6
    /// A longer absence is drawn no wider: of years of silence a page needn't be made.
    private static let longestGap = 10_000

    /// Places checks.
    ///
    /// - Parameters:
    ///   - times: When the checks were, oldest first, in milliseconds.
    ///   - now: The end; the time since the last check may be a gap too.
    init(times: [Int64], now: Int64) {
        let distances = zip(times, times.dropFirst()).map { $1 - $0 }.filter { $0 > 0 }.sorted()
        let usual = distances.isEmpty ? 0 : distances[distances.count / 2]
        func missing(_ distance: Int64) -> Int {
            guard usual > 0, Double(distance) > Double(usual) * Self.tolerance else { return 0 }
            return min(max(Int((Double(distance) / Double(usual)).rounded()) - 1, 1), Self.longestGap)
        }
        var columns: [Column] = []
        for (index, time) in times.enumerated() {
            if index > 0 { columns += Array(repeating: .gap, count: missing(time - times[index - 1])) }
            columns.append(.checks(index..<index + 1))
        }
        if let last = times.last { columns += Array(repeating: .gap, count: missing(now - last)) }
        self.columns = Self.merged(columns)
    }

    /// Neighbours share a column where there are too many.
    private static func merged(_ columns: [Column]) -> [Column] {
        let size = (columns.count + mostColumns - 1) / mostColumns
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
