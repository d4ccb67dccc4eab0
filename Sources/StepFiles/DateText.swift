/// A date and time as text (RFC 3339), as golang-migrate's parser reads it: a fraction of any length, and a zone that is
/// `Z`, `+02:00` or `+0200`.
package enum DateText {
    /// Milliseconds since 1970-01-01T00:00:00Z; nil where the text isn't a date, or names one that there isn't.
    package static func milliseconds(_ text: String) -> Int64? {
        var rest = Array(text.utf8)[...]
        guard let year = number(&rest, 4), skip(&rest, "-"), let month = number(&rest, 2), skip(&rest, "-"),
            let day = number(&rest, 2), skip(&rest, "T"), let hour = shortNumber(&rest), skip(&rest, ":"),
            let minute = number(&rest, 2), skip(&rest, ":"), let second = number(&rest, 2),
            (1...12).contains(month), (1...days(month, year)).contains(day), hour < 24, minute < 60, second < 60
        else { return nil }
        var fraction: Int64 = 0
        if skip(&rest, ".") || skip(&rest, ",") {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty else { return nil }
            rest = rest.dropFirst(digits.count)
            for place in 0..<3 {
                let digit = place < digits.count ? Int64(digits[digits.startIndex + place] - 0x30) : 0
                fraction = fraction * 10 + digit
            }
        }
        guard let offset = zone(&rest), rest.isEmpty else { return nil }
        let seconds = ((daysSince1970(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 + second
        return seconds * 1000 + fraction
    }

    /// The beginning of a day in UTC, such as `2027-03-31`, in milliseconds since 1970; nil where the text isn't one, or names
    /// one that there isn't.
    package static func milliseconds(day: String) -> Int64? {
        day.utf8.count == "yyyy-mm-dd".utf8.count ? milliseconds(day + "T00:00:00Z") : nil
    }

    /// Minutes east of Greenwich.
    private static func zone(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        if skip(&rest, "Z") { return 0 }
        let sign: Int64
        if skip(&rest, "+") { sign = 1 } else if skip(&rest, "-") { sign = -1 } else { return nil }
        guard let hours = number(&rest, 2) else { return nil }
        _ = skip(&rest, ":")
        guard let minutes = number(&rest, 2), hours <= 24, minutes < 60 else { return nil }
        return sign * (hours * 60 + minutes)
    }

    private static func skip(_ rest: inout ArraySlice<UInt8>, _ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private static func number(_ rest: inout ArraySlice<UInt8>, _ count: Int) -> Int64? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        rest = rest.dropFirst(count)
        return digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }

    /// An hour may have one digit.
    private static func shortNumber(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        number(&rest, 2) ?? number(&rest, 1)
    }

    private static func days(_ month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    /// Days between 1970-01-01 and a date of the proleptic Gregorian calendar. The year is counted from March, so that the
    /// leap day is its last one.
    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let marchYear = month > 2 ? year : year - 1
        let monthOfYear = month > 2 ? month - 3 : month + 9
        let before = 365 * marchYear + floor(marchYear, 4) - floor(marchYear, 100) + floor(marchYear, 400)
        return before + (153 * monthOfYear + 2) / 5 + day - 1 - daysOfYearZero
    }

    private static func floor(_ number: Int64, _ divisor: Int64) -> Int64 {
        number >= 0 ? number / divisor : -((divisor - 1 - number) / divisor)
    }

    /// The days between 0000-03-01 and 1970-01-01.
    private static let daysOfYearZero: Int64 = 719_468
}
