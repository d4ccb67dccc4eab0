import BSON

/// Values and documents that several tests use.
enum Samples {
    /// One value of every type, some twice, each with the bytes the specification gives it.
    static let values: [(value: BSONValue, bytes: [UInt8])] = [
        (1.5, hex("000000000000f83f")),
        (.double(-0.0), hex("0000000000000080")),
        ("world", hex("06000000 776f726c6400")),
        ("", hex("01000000 00")),
        ("a\0b", hex("04000000 61006200")),
        ("é€😀", hex("0a000000 c3a9 e282ac f09f9880 00")),
        ([:], hex("0500000000")),
        (["a": 1], hex("0c000000 10 6100 01000000 00")),
        (.array([]), hex("0500000000")),
        ([true, nil], hex("0c000000 08 3000 01 0a 3100 00")),
        (.binary(BSONBinary(bytes: [1, 2, 3])), hex("03000000 00 010203")),
        (.binary(BSONBinary(subtype: 2, bytes: [1, 2, 3])), hex("07000000 02 03000000 010203")),
        (.binary(BSONBinary(subtype: 2, bytes: [])), hex("04000000 02 00000000")),
        (.binary(BSONBinary(subtype: 0x80, bytes: [])), hex("00000000 80")),
        (.undefined, []),
        (.objectID(.max), hex("ffffffffffffffffffffffff")),
        (.objectID(ObjectID(hex: "507f1f77bcf86cd799439011") ?? .min), hex("507f1f77bcf86cd799439011")),
        (false, [0]),
        (true, [1]),
        (.date(-1), hex("ffffffffffffffff")),
        (.date(1_356_351_330_501), hex("c5d8d6cc3b010000")),
        (.null, []),
        (.regularExpression(BSONRegularExpression(pattern: "ab*", options: "im")), hex("61622a00 696d00")),
        (.regularExpression(BSONRegularExpression(pattern: "")), hex("00 00")),
        (.dbPointer(BSONDBPointer(namespace: "d.c", id: .max)), hex("04000000 642e6300 ffffffffffffffffffffffff")),
        (.javascript("f()"), hex("04000000 66282900")),
        (.symbol("sym"), hex("04000000 73796d00")),
        (
            .javascriptWithScope(BSONJavaScriptWithScope(code: "x", scope: ["x": 7])),
            hex("16000000 02000000 7800 0c000000 10 7800 07000000 00")
        ),
        (-2, hex("feffffff")),
        (.int32(.max), hex("ffffff7f")),
        (.timestamp(BSONTimestamp(seconds: 0x0102_0304, increment: 0x0a0b_0c0d)), hex("0d0c0b0a 04030201")),
        (0x1_0000_0000, hex("0000000001000000")),
        (.int64(-2), hex("feffffffffffffff")),
        (.decimal128(Decimal128(low: 1, high: 0x3040_0000_0000_0000)), hex("0100000000000000 0000000000004030")),
        (.minKey, []),
        (.maxKey, []),
    ]

    /// A document with every value, under the keys "k0", "k1" and so on, then all of them in an array and again in
    /// a document of a document.
    static let everything: BSONDocument = {
        let flat = BSONDocument(values.enumerated().map { ("k\($0.offset)", $0.element.value) })
        var document = flat
        document.append("all", .array(BSONArray(values.map(\.value))))
        document.append("outer", ["inner": .document(flat), "": nil])
        return document
    }()

    /// A document with one value of every type.
    static let oneOfEach: BSONDocument = {
        var seen: Set<BSONType> = []
        let chosen = values.map(\.value).reversed().filter { seen.insert($0.type).inserted }
        return BSONDocument(chosen.map { (String($0.type.alias.prefix(2)), $0) })
    }()

    /// Bytes of documents nested in each other under the empty key, `depth` of them in all.
    static func nested(depth: Int, type: BSONType = .document) -> [UInt8] {
        var bytes = documentBytes([])
        for _ in 1..<depth {
            bytes = documentBytes([type.rawValue, 0] + bytes)
        }
        return bytes
    }
}
