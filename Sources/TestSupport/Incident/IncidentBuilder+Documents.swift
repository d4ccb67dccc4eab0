internal import BSON

extension IncidentBuilder {
    /// Makes a document of its fields. `_id` comes first, where the server would put it; the others mostly in the
    /// application's order, with fields among them that the application doesn't know.
    ///
    /// - Parameters:
    ///   - id: The `_id`.
    ///   - fields: The application's fields; those without a value are left out.
    mutating func document(_ id: BSONValue, _ fields: [(String, BSONValue?)]) -> BSONDocument {
        var pairs = fields.compactMap { name, value in value.map { (name, $0) } }
        if random.happens(0.1) { pairs = random.shuffled(pairs) }
        if random.happens(0.25) {
            for number in 0..<random.number(1...3) {
                let name = "x\(number)_\(random.pick(["mood", "größe", "🎈", "a b"]))"
                pairs.insert((name, exoticValue()), at: random.number(0...pairs.count))
            }
        }
        var document = BSONDocument([("_id", id)] + pairs)
        if random.happens(0.03), let legacy = Self.textThatIsNotUTF8 { document.append(raw: legacy) }
        return document
    }

    /// An element with a string that no UTF-8 decoder accepts, as old drivers in other languages wrote them.
    private static let textThatIsNotUTF8: BSONRawElement? = {
        // int32 length of the document, type 2, "latin1", int32 length of the string, "caf\xe9", end.
        let element: [UInt8] = [2] + Array("latin1".utf8) + [0, 5, 0, 0, 0, 0x63, 0x61, 0x66, 0xe9, 0]
        let document = try? BSONDocument(validating: [UInt8(element.count + 5), 0, 0, 0] + element + [0])
        return document?.rawElements.first { _ in true }
    }()

    /// A value of any type, the rare ones more often than in life.
    mutating func exoticValue(depth: Int = 0) -> BSONValue {
        switch random.number(0...19) {
        case 0: .decimal128(Decimal128(low: 100, high: 0x303c_0000_0000_0000))  // 1.00
        case 1: .decimal128(Decimal128(low: 0, high: 0x7c00_0000_0000_0000))  // NaN
        case 2: .double(.nan)
        case 3: .double(-0.0)
        case 4: .int64(Int64(bitPattern: random.next()))
        case 5: .regularExpression(BSONRegularExpression(pattern: "^a.*\\d", options: "i"))
        case 6: .binary(BSONBinary(subtype: 4, bytes: newID(at: 0).bytes + [1, 2, 3, 4]))
        case 7: .binary(BSONBinary(subtype: 2, bytes: [1, 2, 3]))
        case 8: .binary(BSONBinary(subtype: 0x80, bytes: []))
        case 9: .timestamp(BSONTimestamp(seconds: 7, increment: 9))
        case 10: .javascript("function () { return 1; }")
        case 11: .symbol("sym")
        case 12: random.pick([.minKey, .maxKey, .undefined, .null, .bool(false)])
        case 13: .dbPointer(BSONDBPointer(namespace: "a.b", id: .max))
        case 14: .javascriptWithScope(BSONJavaScriptWithScope(code: "x", scope: ["x": 1]))
        case 15: .date(-62_135_596_800_000)
        case 16: .objectID(newID(at: Self.start))
        case 17 where depth < 3:
            .array(BSONArray((0..<random.number(0...4)).map { _ in exoticValue(depth: depth + 1) }))
        case 18 where depth < 3:
            .document(["": exoticValue(depth: depth + 1), "$price": exoticValue(depth: depth + 1), "a.b": 1, "_id": ""])
        default: .string(random.pick(["", "é", "e\u{301}", "\u{0}zero", "🏳️‍🌈", "日本語", "a\"b\\c"]))
        }
    }
}
