/// Numbers for people.
enum Number {
    /// With a comma between thousands.
    static func text(_ number: Int) -> String {
        var digits = String(number.magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        groups.insert(digits, at: 0)
        return (number < 0 ? "−" : "") + groups.joined(separator: ",")
    }
}

/// Times for people, in UTC, from milliseconds since 1970.
enum Moment {
    /// Such as `2027-03-31`.
    static func day(_ milliseconds: Int64) -> String {
        let days = milliseconds.floored(by: 86_400_000)
        // Of a year that begins in March, so that a leap day is its last (Hinnant, "chrono-Compatible Low-Level Date
        // Algorithms", https://howardhinnant.github.io/date_algorithms.html).
        let shifted = days + 719_468
        let era = shifted.floored(by: 146_097)
        let ofEra = shifted - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let fromMarch = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * fromMarch + 2) / 5 + 1
        let month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return "\(year)-\(two(month))-\(two(day))"
    }

    /// Such as `2027-03-31 09:05`.
    static func minute(_ milliseconds: Int64) -> String {
        let minutes = (milliseconds - milliseconds.floored(by: 86_400_000) * 86_400_000) / 60_000
        return "\(day(milliseconds)) \(two(minutes / 60)):\(two(minutes % 60))"
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

    private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension Int64 {
    /// The quotient, rounded down also below zero.
    fileprivate func floored(by divisor: Int64) -> Int64 { (self - (self % divisor + divisor) % divisor) / divisor }
}
