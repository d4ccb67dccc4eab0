import BSON
import Testing

@Suite("Round trips")
struct BSONRoundTripTests {
    @Test("writes the specification's example byte for byte")
    func helloWorld() throws {
        let bytes = hex("16000000 02 68656c6c6f00 06000000 776f726c6400 00")
        let document: BSONDocument = ["hello": "world"]
        #expect(document.bytes == bytes)
        #expect(try BSONDocument(validating: bytes) == document)
    }

    @Test("writes the specification's array example byte for byte")
    func awesome() throws {
        let bytes = hex(
            """
            31000000 04 42534f4e00 26000000 02 3000 08000000 617765736f6d6500 01 3100 333333333333 1440
            10 3200 c2070000 00 00
            """
        )
        let document: BSONDocument = ["BSON": ["awesome", 5.05, 1986]]
        #expect(document.bytes == bytes)
        #expect(try BSONDocument(validating: bytes)["BSON"] == ["awesome", 5.05, 1986])
    }

    @Test("writes and reads every type with exactly its bytes", arguments: Samples.values.indices)
    func everyType(index: Int) throws {
        let (value, bytes) = Samples.values[index]
        let document = BSONDocument([("key", value)])
        let expected = documentBytes([value.type.rawValue] + hex("6b657900") + bytes)
        #expect(document.bytes == expected)
        let read = try BSONDocument(validating: expected)
        #expect(read["key"] == value)
        #expect(read["key"]?.type == value.type)
        #expect(Audit(read).complaints.isEmpty)
    }

    @Test("has a sample of every type")
    func completeSamples() {
        #expect(Set(Samples.values.map(\.value.type)) == Set(BSONType.allCases))
        #expect(BSONType.allCases.count == 21)
    }

    @Test("reads everything of a document of all types")
    func everything() throws {
        let read = try BSONDocument(validating: Samples.everything.bytes)
        let audit = Audit(read)
        #expect(audit.complaints.isEmpty)
        #expect(audit.values > 3 * Samples.values.count)
        #expect(BSONDocument(read.elements.map { ($0.key, $0.value) }) == Samples.everything)
    }

    @Test("copies a buffer and lends its bytes")
    func buffer() throws {
        let document = try Samples.everything.withUnsafeBytes { try BSONDocument(validating: $0) }
        #expect(document == Samples.everything)
        #expect(document.withUnsafeBytes { $0.count } == document.byteCount)
        #expect(throws: BSONError.self) { try BSONDocument(validating: UnsafeRawBufferPointer(start: nil, count: 0)) }
    }

    @Test("names the types as the server does")
    func aliases() {
        #expect(BSONType.objectID.alias == "objectId")
        #expect(BSONType(rawValue: 255) == .minKey)
        #expect(BSONType(rawValue: 127) == .maxKey)
        let aliases = [
            "double", "string", "object", "array", "binData", "undefined", "objectId", "bool", "date", "null", "regex",
            "dbPointer", "javascript", "symbol", "javascriptWithScope", "int", "timestamp", "long", "decimal",
        ]
        #expect((1...19).map { BSONType(rawValue: $0)?.alias } == aliases)
        #expect(BSONType.minKey.alias == "minKey")
        #expect(BSONType.maxKey.alias == "maxKey")
    }
}
