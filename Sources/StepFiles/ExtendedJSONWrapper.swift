internal import BSON
internal import MongoDriver

/// The objects of Extended JSON that stand for one value (version 2, canonical and relaxed:
/// https://github.com/mongodb/specifications/blob/master/source/extended-json.md), and the older forms of a binary value
/// and of a date.
enum ExtendedJSONWrapper {
    /// A key of an object and its value.
    struct Member {
        let key: String
        let value: BSONValue
    }

    /// Why an object can't be what its first key says: never a value of it.
    struct Failure: Error {
        let reason: String
    }

    /// The value that an object stands for; nil for one that is just an object.
    static func value(of members: [Member], _ first: Member) throws(Failure) -> BSONValue? {
        let value = first.value
        if first.key == "$code" { return try code(members) }
        if first.key == "$binary", value.string != nil { return try oldBinary(members) }
        guard let read = readers[first.key] else {
            if first.key == "$scope" { throw Failure(reason: "$code has to stand in front of $scope") }
            return nil
        }
        guard members.count == 1 else { throw Failure(reason: "nothing may stand beside \(first.key)") }
        guard let result = read(value) else {
            throw Failure(reason: "what stands behind \(first.key) isn't \(wanted[first.key] ?? "right")")
        }
        return result
    }

    private static let readers: [String: @Sendable (BSONValue) -> BSONValue?] = [
        "$oid": { $0.string.flatMap { ObjectID(hex: $0) }.map { .objectID($0) } },
        "$numberInt": { $0.string.flatMap { Int32($0) }.map { .int32($0) } },
        "$numberLong": { $0.string.flatMap { Int64($0) }.map { .int64($0) } },
        "$numberDouble": { $0.string.flatMap(double).map { .double($0) } },
        "$numberDecimal": { $0.string.flatMap(decimal) },
        "$symbol": { $0.string.map { .symbol($0) } },
        "$uuid": { $0.string.flatMap(uuid) },
        "$minKey": { $0.integer == 1 ? .minKey : nil },
        "$maxKey": { $0.integer == 1 ? .maxKey : nil },
        "$undefined": { $0 == true ? .undefined : nil },
        "$date": { date($0) },
        "$binary": { $0.document.flatMap(binary) },
        "$timestamp": { $0.document.flatMap(timestamp) },
        "$regularExpression": { $0.document.flatMap(pattern) },
        "$dbPointer": { $0.document.flatMap(pointer) },
    ]

    private static let wanted = [
        "$oid": "24 hexadecimal digits as text", "$numberInt": "a whole number of 32 bits as text",
        "$numberLong": "a whole number of 64 bits as text", "$numberDouble": "a number as text",
        "$numberDecimal": "a decimal number as text", "$symbol": "text",
        "$uuid": "a UUID as text, with its hyphens", "$minKey": "1", "$maxKey": "1", "$undefined": "true",
        "$date": "a date that there is: 2026-11-22T12:59:31.050Z, or milliseconds as {\"$numberLong\": \"…\"}",
        "$binary": "{\"base64\": …, \"subType\": …}, both text",
        "$timestamp": "{\"t\": …, \"i\": …}, both whole numbers",
        "$regularExpression": "{\"pattern\": …, \"options\": …}, both text",
        "$dbPointer": "{\"$ref\": …, \"$id\": {\"$oid\": …}}",
    ]

    private static func double(_ text: String) -> Double? {
        guard let number = Double(text) else { return nil }
        // What is too large to be written so is refused, and infinity is asked for by its name.
        return number.isFinite || !text.contains(where: \.isNumber) ? number : nil
    }

    private static func decimal(_ text: String) -> BSONValue? {
        // Checked, for it goes into JSON again, and libbson, which reads the digits, takes anything else for no number.
        guard text.wholeMatch(of: /[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|(?i:nan|inf|infinity))/) != nil
        else {
            return nil
        }
        return try? ExtendedJSON.document("{\"d\":{\"$numberDecimal\":\"\(text)\"}}")["d"]
    }

    private static func uuid(_ text: String) -> BSONValue? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == [8, 4, 4, 4, 12] else { return nil }
        let digits = Array(parts.joined())
        let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
        guard bytes.count == 16, digits.allSatisfy(\.isHexDigit) else { return nil }
        return .binary(BSONBinary(subtype: 4, bytes: bytes))
    }

    private static func date(_ value: BSONValue) -> BSONValue? {
        switch value {
        case .string(let text): DateText.milliseconds(text).map { .date($0) }
        // `{"$numberLong": …}` has been read already; a bare number is an older form.
        case .int64(let number): .date(number)
        case .int32(let number): .date(Int64(number))
        default: nil
        }
    }

    private static func binary(_ document: BSONDocument) -> BSONValue? {
        guard Set(document.keys) == ["base64", "subType"], document.keys.count == 2 else { return nil }
        return binary(document["base64"], document["subType"]?.string)
    }

    private static func oldBinary(_ members: [Member]) throws(Failure) -> BSONValue {
        guard members.count == 2, members[1].key == "$type" else {
            throw Failure(reason: "what stands behind $binary isn't \(wanted["$binary"] ?? "right")")
        }
        let type = members[1].value.string ?? members[1].value.integer.map { String($0, radix: 16) }
        guard let value = binary(members[0].value, type) else {
            throw Failure(reason: "what stands behind $binary and $type isn't base64 and a subtype, both text")
        }
        return value
    }

    private static func binary(_ base64: BSONValue?, _ subtype: String?) -> BSONValue? {
        guard let bytes = base64?.string.flatMap(Base64.bytes), let subtype, let number = UInt8(subtype, radix: 16)
        else {
            return nil
        }
        return .binary(BSONBinary(subtype: number, bytes: bytes))
    }

    private static func timestamp(_ document: BSONDocument) -> BSONValue? {
        guard Set(document.keys) == ["t", "i"], document.keys.count == 2,
            let seconds = document["t"]?.integer.flatMap(UInt32.init(exactly:)),
            let increment = document["i"]?.integer.flatMap(UInt32.init(exactly:))
        else { return nil }
        return .timestamp(BSONTimestamp(seconds: seconds, increment: increment))
    }

    private static func pattern(_ document: BSONDocument) -> BSONValue? {
        guard Set(document.keys) == ["pattern", "options"], document.keys.count == 2,
            let pattern = document["pattern"]?.string, let options = document["options"]?.string,
            !pattern.utf8.contains(0), !options.utf8.contains(0)
        else { return nil }
        return .regularExpression(BSONRegularExpression(pattern: pattern, options: String(options.sorted())))
    }

    private static func pointer(_ document: BSONDocument) -> BSONValue? {
        guard Set(document.keys) == ["$ref", "$id"], document.keys.count == 2, let name = document["$ref"]?.string,
            let id = document["$id"]?.objectID
        else { return nil }
        return .dbPointer(BSONDBPointer(namespace: name, id: id))
    }

    private static func code(_ members: [Member]) throws(Failure) -> BSONValue {
        guard let code = members[0].value.string else { throw Failure(reason: "what stands behind $code isn't text") }
        if members.count == 1 { return .javascript(code) }
        guard members.count == 2, members[1].key == "$scope", let scope = members[1].value.document else {
            throw Failure(reason: "only a $scope, which is an object, may stand beside $code")
        }
        return .javascriptWithScope(BSONJavaScriptWithScope(code: code, scope: scope))
    }
}

/// Base64 (RFC 4648, section 4), with its padding.
enum Base64 {
    private static let values: [UInt8: UInt32] = Dictionary(
        uniqueKeysWithValues: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8.enumerated().map {
            ($0.element, UInt32($0.offset))
        })

    /// The bytes of a text; nil where it isn't Base64. Line breaks within are passed over.
    static func bytes(_ text: String) -> [UInt8]? {
        let digits = text.utf8.filter { $0 != 0x0a && $0 != 0x0d }
        guard digits.count % 4 == 0 else { return nil }
        let padding = digits.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 4 * 3)
        var bits: UInt32 = 0
        for (position, digit) in digits.enumerated() {
            let isPadding = position >= digits.count - padding
            guard let value = isPadding ? 0 : values[digit] else { return nil }
            bits = bits << 6 | value
            if position % 4 == 3 {
                bytes += [UInt8(bits >> 16 & 255), UInt8(bits >> 8 & 255), UInt8(bits & 255)]
                bits = 0
            }
        }
        bytes.removeLast(padding)
        return bytes
    }
}
