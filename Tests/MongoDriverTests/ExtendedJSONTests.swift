import BSON
import MongoDriver
import TestSupport
import Testing

@Suite("Extended JSON")
struct ExtendedJSONTests {
    /// Each type: the value, and how the specification writes it canonically and for people.
    static let values: [(BSONValue, canonical: String, relaxed: String)] = [
        (.int32(-7), #"{ "$numberInt" : "-7" }"#, "-7"),
        (.int32(.max), #"{ "$numberInt" : "2147483647" }"#, "2147483647"),
        (.int64(7), #"{ "$numberLong" : "7" }"#, "7"),
        (.int64(.min), #"{ "$numberLong" : "-9223372036854775808" }"#, "-9223372036854775808"),
        (.double(80), #"{ "$numberDouble" : "80.0" }"#, "80.0"),
        (.double(-0.0), #"{ "$numberDouble" : "-0.0" }"#, "-0.0"),
        (.double(0.1), #"{ "$numberDouble" : "0.10000000000000000555" }"#, "0.10000000000000000555"),
        (.double(.infinity), #"{ "$numberDouble" : "Infinity" }"#, #"{ "$numberDouble" : "Infinity" }"#),
        (.double(-.infinity), #"{ "$numberDouble" : "-Infinity" }"#, #"{ "$numberDouble" : "-Infinity" }"#),
        (
            .decimal128(Decimal128(low: 100, high: 0x303c_0000_0000_0000)),
            #"{ "$numberDecimal" : "1.00" }"#, #"{ "$numberDecimal" : "1.00" }"#
        ),
        (
            .decimal128(Decimal128(low: 0, high: 0x7c00_0000_0000_0000)),
            #"{ "$numberDecimal" : "NaN" }"#, #"{ "$numberDecimal" : "NaN" }"#
        ),
        (.string("é \u{0} \" \\ \n \u{1F600}"), #""é \u0000 \" \\ \n 😀""#, #""é \u0000 \" \\ \n 😀""#),
        (.bool(true), "true", "true"), (.null, "null", "null"),
        (.undefined, #"{ "$undefined" : true }"#, #"{ "$undefined" : true }"#),
        (.minKey, #"{ "$minKey" : 1 }"#, #"{ "$minKey" : 1 }"#),
        (.maxKey, #"{ "$maxKey" : 1 }"#, #"{ "$maxKey" : 1 }"#),
        (.objectID(.max), #"{ "$oid" : "ffffffffffffffffffffffff" }"#, #"{ "$oid" : "ffffffffffffffffffffffff" }"#),
        (
            .date(1_762_257_600_123), #"{ "$date" : { "$numberLong" : "1762257600123" } }"#,
            #"{ "$date" : "2025-11-04T12:00:00.123Z" }"#
        ),
        (
            .date(-62_135_596_800_001), #"{ "$date" : { "$numberLong" : "-62135596800001" } }"#,
            #"{ "$date" : { "$numberLong" : "-62135596800001" } }"#
        ),
        (
            .date(253_402_300_799_999), #"{ "$date" : { "$numberLong" : "253402300799999" } }"#,
            #"{ "$date" : "9999-12-31T23:59:59.999Z" }"#
        ),
        (
            .timestamp(BSONTimestamp(seconds: .max, increment: 1)),
            #"{ "$timestamp" : { "t" : 4294967295, "i" : 1 } }"#, #"{ "$timestamp" : { "t" : 4294967295, "i" : 1 } }"#
        ),
        (
            .binary(BSONBinary(subtype: 4, bytes: [UInt8](repeating: 0xab, count: 16))),
            #"{ "$binary" : { "base64" : "q6urq6urq6urq6urq6urqw==", "subType" : "04" } }"#,
            #"{ "$binary" : { "base64" : "q6urq6urq6urq6urq6urqw==", "subType" : "04" } }"#
        ),
        (
            .binary(BSONBinary(subtype: 0x80, bytes: [])),
            #"{ "$binary" : { "base64" : "", "subType" : "80" } }"#,
            #"{ "$binary" : { "base64" : "", "subType" : "80" } }"#
        ),
        (
            .regularExpression(BSONRegularExpression(pattern: #"^a"\d/"#, options: "im")),
            #"{ "$regularExpression" : { "pattern" : "^a\"\\d/", "options" : "im" } }"#,
            #"{ "$regularExpression" : { "pattern" : "^a\"\\d/", "options" : "im" } }"#
        ),
        (.javascript("f()"), #"{ "$code" : "f()" }"#, #"{ "$code" : "f()" }"#),
        (.symbol("s"), #"{ "$symbol" : "s" }"#, #"{ "$symbol" : "s" }"#),
        (
            .javascriptWithScope(BSONJavaScriptWithScope(code: "f(x)", scope: ["x": 1])),
            #"{ "$code" : "f(x)", "$scope" : { "x" : { "$numberInt" : "1" } } }"#,
            #"{ "$code" : "f(x)", "$scope" : { "x" : 1 } }"#
        ),
        (
            .dbPointer(BSONDBPointer(namespace: "a.b", id: .min)),
            #"{ "$dbPointer" : { "$ref" : "a.b", "$id" : { "$oid" : "000000000000000000000000" } } }"#,
            #"{ "$dbPointer" : { "$ref" : "a.b", "$id" : { "$oid" : "000000000000000000000000" } } }"#
        ),
        (
            ["": ["$price": 1, "a.b": [1, nil]]],
            #"{ "" : { "$price" : { "$numberInt" : "1" }, "a.b" : [ { "$numberInt" : "1" }, null ] } }"#,
            #"{ "" : { "$price" : 1, "a.b" : [ 1, null ] } }"#
        ),
        (["$oid": 5], #"{ "$oid" : { "$numberInt" : "5" } }"#, #"{ "$oid" : 5 }"#),
    ]

    @Test("writes every type as the specification says", arguments: values.indices)
    func writes(index: Int) throws {
        let (value, canonical, relaxed) = Self.values[index]
        #expect(try ExtendedJSON.canonical(["v": value]) == #"{ "v" : "# + canonical + " }")
        #expect(try ExtendedJSON.relaxed(["v": value]) == #"{ "v" : "# + relaxed + " }")
    }

    @Test("canonical reads back exactly", arguments: values.indices.dropLast())
    func readsBack(index: Int) throws {
        let document: BSONDocument = ["v": Self.values[index].0]
        #expect(try ExtendedJSON.document(ExtendedJSON.canonical(document)) == document)
    }

    @Test("reads a NaN as a NaN")
    func readsNaN() throws {
        let document: BSONDocument = ["v": .double(.nan)]
        let text = try ExtendedJSON.canonical(document)
        #expect(text == #"{ "v" : { "$numberDouble" : "NaN" } }"#)
        #expect(try ExtendedJSON.document(text)["v"]?.number?.isNaN == true)
    }

    @Test("reads what people write: plain numbers, dates, spaces, keys in their order")
    func readsRelaxed() throws {
        let date = #"{"$date": "2025-11-04T12:00:00Z"}"#
        let text = #" {"b": 1, "a": 5000000000, "c": 1.5, "d": "# + date + #", "e": [true, {}]}"# + "\n"
        let expected: BSONDocument = [
            "b": 1, "a": 5_000_000_000, "c": 1.5, "d": .date(1_762_257_600_000), "e": [true, [:]],
        ]
        #expect(try ExtendedJSON.document(text) == expected)
        #expect(try ExtendedJSON.document("{}") == [:])
    }

    @Test(
        "that is none is refused",
        arguments: [
            "", " ", "null", "7", #""text""#, "{", "}", #"{"a": }"#, #"{"a": 1"#, #"{"a": 1}}"#, #"{"a": 1} {"b": 2}"#,
            #"{"a": 1}x"#, "{'a': 1}", #"{"a": {"$oid": "short"}}"#, #"{"a": {"$numberInt": "3000000000"}}"#,
            #"{"a": {"$date": "yesterday"}}"#, #"{"a\u0000b": 1}"#, "[] {}", "\u{FEFF}{}", "\u{A0}",
        ])
    func refuses(text: String) {
        #expect(throws: MongoError.self) { try ExtendedJSON.document(text) }
    }

    @Test("keeps dates and numbers at the ends of their ranges")
    func keepsExtremes() throws {
        let document: BSONDocument = [
            "a": .date(.max), "b": .date(.min), "c": .double(.greatestFiniteMagnitude),
            "d": .double(.leastNonzeroMagnitude), "e": .double(1.7976931348623155e308), "f": .int32(.min),
        ]
        #expect(try ExtendedJSON.document(ExtendedJSON.canonical(document)) == document)
    }

    @Test("reads an array as the document that stores it")
    func readsArrays() throws {
        #expect(try ExtendedJSON.document("[{\"a\": 1}, 2]") == ["0": ["a": 1], "1": 2])
        #expect(try ExtendedJSON.document("[]") == [:])
    }

    @Test("reads and writes the deepest documents that the server takes")
    func writesDeepDocuments() throws {
        var document: BSONDocument = ["bottom": true]
        for _ in 0..<BSONDocument.maximumDepth - 1 { document = ["a": .document(document)] }
        let text = try ExtendedJSON.canonical(document)
        #expect(text.contains("bottom"))
        #expect(!text.contains("..."))
    }

    @Test("doesn't exist for text that isn't UTF-8, nor for too many levels; both are errors")
    func refusesToWrite() throws {
        // {"a": "\xff"}
        let invalid = try BSONDocument(validating: [14, 0, 0, 0, 2, 0x61, 0, 2, 0, 0, 0, 0xff, 0, 0])
        let unwritable = #expect(throws: MongoError.self) { try ExtendedJSON.canonical(invalid) }
        #expect(unwritable?.kind == .bson)
        #expect(throws: MongoError.self) { try ExtendedJSON.relaxed(invalid) }
        var deep: BSONDocument = [:]
        for _ in 0..<199 { deep = ["a": .document(deep)] }
        let error = #expect(throws: MongoError.self) { try ExtendedJSON.document(ExtendedJSON.canonical(deep)) }
        #expect(error?.kind == .bson)
    }

    @Test("of the incident's documents reads back exactly")
    func readsIncident() throws {
        for documents in try TestDatabase.incident().values {
            for document in documents {
                #expect(try ExtendedJSON.document(ExtendedJSON.canonical(document)) == document)
            }
        }
    }
}
