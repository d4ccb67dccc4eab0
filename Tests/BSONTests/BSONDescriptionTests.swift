import BSON
import Testing

@Suite("Descriptions")
struct BSONDescriptionTests {
    @Test("shows size and keys but no values")
    func safe() {
        let document: BSONDocument = ["user": "secret", "inner": ["hidden": 1]]
        #expect(document.description == "BSONDocument(46 bytes, keys: [\"user\", \"inner\"])")
        #expect("\(document)" == document.description)
    }

    @Test("shows twenty keys at most and escapes control characters")
    func bounded() {
        let many = BSONDocument((0..<25).map { ("k\($0)", .null) })
        #expect(many.description.hasSuffix("\"k19\", and 5 more])"))
        let odd: BSONDocument = ["\u{1b}[31m\"\\\u{9b}": 1]
        #expect(odd.description.hasSuffix("keys: [\"\\u001b[31m\\\"\\\\\\u009b\"])"))
    }

    @Test("shows everything when debugging")
    func full() {
        let document: BSONDocument = [
            "s": "a\n", "i": 1, "l": 3_000_000_000, "d": 1.5, "b": false, "n": nil, "a": [1, ["x": .minKey]],
            "bin": .binary(BSONBinary(subtype: 4, bytes: [0xab])),
            "t": .timestamp(BSONTimestamp(seconds: 1, increment: 2)), "o": .objectID(.max), "at": .date(-1),
            "r": .regularExpression(BSONRegularExpression(pattern: "p", options: "i")),
            "dec": .decimal128(Decimal128(low: 255, high: 1)),
            "c": .javascriptWithScope(BSONJavaScriptWithScope(code: "f", scope: ["y": .undefined])),
            "p": .dbPointer(BSONDBPointer(namespace: "d.c", id: .min)), "sym": .symbol("s"), "js": .javascript("j"),
            "max": .maxKey,
        ]
        let expected = [
            #"{"s": "a\u000a", "i": 1, "l": {"$numberLong": "3000000000"}, "d": 1.5, "b": false, "n": null"#,
            #""a": [1, {"x": {"$minKey": 1}}], "bin": {"$binary": {"hex": "ab", "subType": "04"}}"#,
            #""t": {"$timestamp": {"t": 1, "i": 2}}, "o": {"$oid": "ffffffffffffffffffffffff"}"#,
            #""at": {"$date": {"$numberLong": "-1"}}, "r": {"$regularExpression": {"pattern": "p", "options": "i"}}"#,
            #""dec": {"$decimal128": {"high": "0x1", "low": "0xff"}}, "c": {"$code": "f", "$scope": {"y": {"$undefined": true}}}"#,
            #""p": {"$dbPointer": {"$ref": "d.c", "$id": {"$oid": "000000000000000000000000"}}}"#,
            #""sym": {"$symbol": "s"}, "js": {"$code": "j"}, "max": {"$maxKey": 1}}"#,
        ]
        #expect(document.debugDescription == expected.joined(separator: ", "))
    }

    @Test("cuts off a document that was built deeper than the limit")
    func deep() {
        var document = BSONDocument()
        for _ in 0..<1_000 {
            document = ["": .document(document)]
        }
        #expect(document.debugDescription.contains("{…}"))
    }
}
