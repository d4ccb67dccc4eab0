internal import InputFiles

/// The members of one object of a file, read strictly.
struct SeedFields {
    private let members: [JSONNode.Member]
    /// The object's place in the file, such as `users.bob`.
    let place: String
    /// Where the object begins.
    let line: Int

    /// - Parameter keys: The keys that it may have; another one is refused, so that a misspelt one isn't lost.
    init(_ node: JSONNode, at place: String, keys: [String]) throws(SeedObjection) {
        guard case .object(let members) = node.value else {
            throw SeedObjection(node.line, "`\(place)` is \(node.kind), where an object is wanted")
        }
        if let unknown = members.first(where: { !keys.contains($0.key) }) {
            let near =
                NearestName.of(unknown.key, among: keys).map { ", which is perhaps `\($0)`" }
                ?? "; known are \(keys.map { "`\($0)`" }.joined(separator: ", "))"
            throw SeedObjection(unknown.line, "`\(place)` has the unknown key `\(unknown.key)`\(near)")
        }
        (self.members, self.place, line) = (members, place, node.line)
    }

    func line(of key: String) -> Int { member(key)?.line ?? line }

    private func member(_ key: String) -> JSONNode.Member? { members.first { $0.key == key } }

    /// What is wrong with a member.
    func objection(_ key: String, _ reason: String) -> SeedObjection {
        SeedObjection(line(of: key), "`\(place).\(key)` \(reason)")
    }

    func text(_ key: String) throws(SeedObjection) -> String {
        guard member(key) != nil else { throw SeedObjection(line, "`\(place)` lacks `\(key)`") }
        guard let text = try optionalText(key) else { throw objection(key, "is null, where text is wanted") }
        return text
    }

    /// Text, or nil for what is left out or null.
    func optionalText(_ key: String) throws(SeedObjection) -> String? {
        guard let member = member(key) else { return nil }
        switch member.node.value {
        case .text(let text): return text
        case .null: return nil
        case .number, .boolean:
            throw objection(key, "is \(member.node.kind), where text is wanted; put it into quotes")
        default: throw objection(key, "is \(member.node.kind), where text is wanted")
        }
    }

    /// True or false; false for what is left out or null.
    func flag(_ key: String) throws(SeedObjection) -> Bool {
        guard let member = member(key) else { return false }
        switch member.node.value {
        case .boolean(let flag): return flag
        case .null: return false
        default: throw objection(key, "is \(member.node.kind), where true or false is wanted")
        }
    }

    /// A whole number; 0 for what is left out or null.
    func count(_ key: String, upTo largest: Int) throws(SeedObjection) -> Int {
        guard let member = member(key) else { return 0 }
        switch member.node.value {
        case .number(let text):
            guard let count = Int(text), (0...largest).contains(count) else {
                throw objection(key, "has to be a whole number from 0 to \(largest)")
            }
            return count
        case .null: return 0
        default: throw objection(key, "is \(member.node.kind), where a number is wanted")
        }
    }

    /// One of a few words.
    func word<W: RawRepresentable & CaseIterable>(
        _ key: String, or fallback: W?
    ) throws(SeedObjection) -> W where W.RawValue == String {
        let text = try fallback == nil ? self.text(key) : optionalText(key)
        guard let text else { return fallback ?? W.allCases[W.allCases.startIndex] }
        guard let word = W(rawValue: text) else {
            throw objection(key, "has to be \(W.allCases.map { "`\($0.rawValue)`" }.joined(separator: " or "))")
        }
        return word
    }

    /// A moment; nil for what is left out or null.
    func time(_ key: String) throws(SeedObjection) -> SeedTime? {
        guard let text = try optionalText(key) else { return nil }
        guard let time = SeedTime(text) else {
            throw objection(
                key,
                "isn't a date; wanted is one such as `now - 3d` (s, m, h, d, w), `2026-11-20` or "
                    + "`2026-11-20T10:30:00Z`")
        }
        return time
    }
}

extension SeedTime {
    private static let units: [Character: Int64] = [
        "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000,
    ]
    /// A century: longer ago there was nothing to chat with.
    private static let longest: Int64 = 36_525 * 86_400_000

    /// Reads `now`, `now - 3d`, or a date of the years 1970 to 9999 in UTC, with a time and an offset if need be.
    package init?(_ text: String) {
        if let match = text.wholeMatch(of: /now(\s*-\s*([0-9]{1,9})\s*([smhdw]))?/) {
            guard let number = match.output.2 else {
                self = .before(0)
                return
            }
            let unit = match.output.3?.first.flatMap { Self.units[$0] } ?? 0
            guard let count = Int64(number), count * unit <= Self.longest else { return nil }
            self = .before(count * unit)
            return
        }
        let date = /([0-9]{4})-([0-9]{2})-([0-9]{2})/
        let time = /[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?(?:Z|([-+])([0-9]{2}):([0-9]{2}))?/
        guard let match = text.prefixMatch(of: date), let day = Self.days(match.output) else { return nil }
        var milliseconds = day * 86_400_000
        let rest = text[match.range.upperBound...]
        if !rest.isEmpty {
            guard let match = rest.wholeMatch(of: time)?.output else { return nil }
            guard let hour = Int64(match.1), hour < 24, let minute = Int64(match.2), minute < 60 else { return nil }
            let second = match.3.flatMap { Int64($0) } ?? 0
            guard second < 60 else { return nil }
            let fraction = (match.4.map { String($0) } ?? "") + "000"
            milliseconds += (hour * 3600 + minute * 60 + second) * 1000 + (Int64(fraction.prefix(3)) ?? 0)
            if let sign = match.5, let hours = match.6.flatMap({ Int64($0) }),
                let minutes = match.7.flatMap({ Int64($0) })
            {
                guard hours < 24, minutes < 60 else { return nil }
                milliseconds -= (sign == "-" ? -1 : 1) * (hours * 60 + minutes) * 60_000
            }
        }
        guard milliseconds >= 0 else { return nil }
        self = .at(milliseconds)
    }

    /// Days since 1970 of a date of the Gregorian calendar; nil where there is no such date.
    private static func days(_ date: (Substring, Substring, Substring, Substring)) -> Int64? {
        guard let year = Int64(date.1), year >= 1970, let month = Int64(date.2), (1...12).contains(month),
            let day = Int64(date.3)
        else { return nil }
        let isLeap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
        let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard (1...lengths[Int(month - 1)]).contains(day) else { return nil }
        let before = year - 1
        let leaps = before / 4 - before / 100 + before / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400)
        return (year - 1970) * 365 + leaps + lengths.prefix(Int(month - 1)).reduce(0, +) + day - 1
    }
}
