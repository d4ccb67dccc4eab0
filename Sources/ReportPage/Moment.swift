internal import FoundationEssentials

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

    /// A length of time, by its largest unit, such as `3 days` or `1.4 s`.
    static func length(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        switch seconds {
        case ..<60: return "\(Double(milliseconds / 100) / 10) s"
        case ..<3_600: return "\(seconds / 60) min"
        case ..<172_800: return "\(seconds / 3_600) h"
        default: return "\(seconds / 86_400) days"
        }
    }

    private static func date(_ milliseconds: Int64) -> Date {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000)
    }
}
