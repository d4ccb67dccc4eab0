internal import FoundationEssentials
internal import Journal

/// Times for people, in UTC, from milliseconds since 1970.
enum Moment {
    private static let day = Date.ISO8601FormatStyle().year().month().day()
    private static let second = Date.ISO8601FormatStyle(dateTimeSeparator: .space).year().month().day().time(
        includingFractionalSeconds: false)

    /// Such as `2027-03-31`.
    static func day(_ milliseconds: Int64) -> String { day.format(date(milliseconds)) }

    /// Such as `2027-03-31 09:05`.
    static func minute(_ milliseconds: Int64) -> String {
        String(second.format(date(milliseconds)).dropLast(":00".count))
    }

    /// The ends of an axis: days, or minutes where they lie within one day. One end alone where they are the same.
    static func ends(_ first: Int64, _ last: Int64) -> (first: String, last: String) {
        let text = last - first < 86_400_000 ? minute : day
        let ends = (first: text(first), last: text(last))
        return ends.first == ends.last ? (ends.first, "") : ends
    }

    /// How long ago something was, in whole units: `just now`, `26 seconds ago`, `1 hour ago`, `3 days ago`.
    static func age(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        func words(_ count: Int64, _ unit: String) -> String {
            "\(count.withSeparators) \(unit)\(count == 1 ? "" : "s") ago"
        }
        switch seconds {
        case ..<1: return "just now"
        case ..<60: return words(seconds, "second")
        case ..<3_600: return words(seconds / 60, "minute")
        case ..<172_800: return words(seconds / 3_600, "hour")
        default: return words(seconds / 86_400, "day")
        }
    }

    /// A length of time: `842 ms`, `1.4 s`, `26 s`, `2 min 3 s`, `1 h 5 min`.
    static func length(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        func words(_ count: Int64, _ unit: String, _ rest: Int64, _ smaller: String) -> String {
            "\(count.withSeparators) \(unit)" + (rest > 0 ? " \(rest) \(smaller)" : "")
        }
        switch milliseconds {
        case ..<1_000: return "\(milliseconds) ms"
        case ..<10_000: return "\(seconds)" + (milliseconds / 100 % 10 > 0 ? ".\(milliseconds / 100 % 10) s" : " s")
        case ..<60_000: return "\(seconds) s"
        case ..<3_600_000: return words(seconds / 60, "min", seconds % 60, "s")
        default: return words(seconds / 3_600, "h", seconds / 60 % 60, "min")
        }
    }

    private static func date(_ milliseconds: Int64) -> Date {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000)
    }
}
