internal import BSON
internal import Journal

/// Values as people read them.
enum Readable {
    /// Several names as a sentence has them: `a`, `a and b`, `a, b and c`.
    static func list(_ names: [String]) -> String {
        guard names.count > 1, let last = names.last else { return names.first ?? "" }
        return names.dropLast().joined(separator: ", ") + " and " + last
    }

    /// A number with separators: `300,000`.
    static func count(_ number: some BinaryInteger) -> String { number.withSeparators }

    /// So many of something: `1 user`, `2,000 users`.
    static func counted(_ number: some BinaryInteger, _ what: String) -> String {
        "\(count(number)) \(what)\(number == 1 ? "" : "s")"
    }

    /// A collection, or a field of it: `messages.session_id`.
    static func place(_ collection: String, _ field: String?) -> String {
        collection + (field.map { ".\($0)" } ?? "")
    }

    /// An age in whole units: `40 s`, `5 min`, `3 h`, `4 days`.
    static func age(milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        switch seconds {
        case ..<120: return "\(seconds) s"
        case ..<7200: return "\(seconds / 60) min"
        case ..<172_800: return "\(seconds / 3600) h"
        default: return "\(count(seconds / 86_400)) days"
        }
    }

    /// A size: `842 bytes`, `4.2 MB`, by thousands.
    static func size(bytes: Int64) -> String {
        var size = Double(bytes)
        for unit in ["kB", "MB", "GB", "TB"] {
            guard size >= 1000 else { break }
            size /= 1000
            if size < 1000 || unit == "TB" { return "\(Double(Int(size * 10)) / 10) \(unit)" }
        }
        return counted(bytes, "byte")
    }

    /// A time: `842 ms`, `12.3 s`, `2 min 3 s`, `1 h 5 min`.
    static func duration(milliseconds: Int64) -> String {
        let seconds = (milliseconds + 500) / 1000
        switch milliseconds {
        case ..<1000: return "\(milliseconds) ms"
        case ..<59_950: return "\((milliseconds + 50) / 1000).\((milliseconds + 50) / 100 % 10) s"
        case ..<3_599_500: return "\(seconds / 60) min\(seconds % 60 == 0 ? "" : " \(seconds % 60) s")"
        default:
            let minutes = (milliseconds + 30_000) / 60_000
            return "\(count(minutes / 60)) h\(minutes % 60 == 0 ? "" : " \(minutes % 60) min")"
        }
    }
}

extension JSONValue {
    /// The samples that people see: a few are named one by one; of many, one shows what is meant.
    static func shown(_ samples: [JSONValue], of count: Int) -> ArraySlice<JSONValue> {
        samples.prefix(count <= samples.count ? count : 1)
    }

    /// One line for people: an ObjectId as its digits, a date as a date, text in quotes; of a long one the beginning. Fields of
    /// a document stand side by side, `_id` first.
    var text: String {
        let text =
            if case .object(let fields) = self, special == nil { Self.fields(fields) } else { inner }
        return text.excerpt(maximumCharacters: Self.longestText)
    }

    private static let longestText = 200

    private static func fields(_ fields: [String: JSONValue]) -> String {
        fields.sorted { ($0.key == "_id" ? 0 : 1, $0.key) < ($1.key == "_id" ? 0 : 1, $1.key) }
            .map { PlainText.tied("\($0.key): ") + $0.value.inner }.joined(separator: ", ")
    }

    private var inner: String {
        if let special { return special }
        switch self {
        case .object(let fields): return "{\(Self.fields(fields))}"
        case .array(let values): return "[\(values.map(\.inner).joined(separator: ", "))]"
        default: return (try? JSON.text(self)) ?? ""
        }
    }

    /// What canonical Extended JSON writes as an object, and people as a value.
    private var special: String? {
        guard case .object(let fields) = self, fields.count == 1, let (key, value) = fields.first else { return nil }
        switch (key, value) {
        case ("$oid", .string(let digits)): return digits
        case ("$numberInt", .string(let number)), ("$numberLong", .string(let number)),
            ("$numberDouble", .string(let number)), ("$numberDecimal", .string(let number)):
            return number
        case ("$date", .object(let inner)):
            guard case .string(let text)? = inner["$numberLong"], let time = Int64(text) else { return nil }
            return TimeText.iso8601(time)
        default: return nil
        }
    }
}
