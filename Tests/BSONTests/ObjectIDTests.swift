import BSON
import Testing

@Suite("ObjectID")
struct ObjectIDTests {
    @Test("reads and writes hexadecimal digits in either case")
    func hexadecimal() throws {
        let id = try #require(ObjectID(hex: "507F1f77bcf86cd799439011"))
        #expect(id.hex == "507f1f77bcf86cd799439011")
        #expect(id.description == id.hex)
        #expect(id.bytes == [0x50, 0x7f, 0x1f, 0x77, 0xbc, 0xf8, 0x6c, 0xd7, 0x99, 0x43, 0x90, 0x11])
        #expect(id.timestamp == 0x507f_1f77)
        #expect(ObjectID(bytes: id.bytes) == id)
        #expect(ObjectID(id.description) == id)
        #expect(ObjectID(hex: "x507f1f77bcf86cd799439011".dropFirst()) == id)
    }

    @Test(
        "refuses text that is not 24 ASCII digits",
        arguments: [
            "", "507f1f77bcf86cd79943901", "507f1f77bcf86cd7994390111", "507f1f77bcf86cd79943901g",
            "507f1f77bcf86cd79943901\u{ff11}", " 07f1f77bcf86cd799439011", "0x7f1f77bcf86cd799439011",
        ]
    )
    func badHexadecimal(text: String) {
        #expect(ObjectID(hex: text) == nil)
        #expect(ObjectID(text) == nil)
    }

    @Test("refuses any number of bytes but 12")
    func byteCount() {
        for count in 0..<30 {
            #expect((ObjectID(bytes: [UInt8](repeating: 7, count: count)) != nil) == (count == 12))
        }
    }

    @Test("sorts like the bytes, between the smallest and the largest")
    func order() throws {
        let ids = try [
            "000000000000000000000001", "0000000000000000000000ff", "0000000000000000ff000000",
            "000000000000000100000000", "7f0000000000000000000000",
        ].map { try #require(ObjectID(hex: $0)) }
        #expect(ids.sorted() == ids)
        #expect(ids.allSatisfy { $0 > .min && $0 < .max })
        #expect(ObjectID.min.hex == String(repeating: "0", count: 24))
        #expect(ObjectID.max.hex == String(repeating: "f", count: 24))
    }

    @Test("generates with the timestamp, one process identity and a counter that goes up by one")
    func generation() {
        let first = ObjectID(timestamp: 0xdead_beef)
        let second = ObjectID(timestamp: 1)
        #expect(first.timestamp == 0xdead_beef)
        #expect(second.timestamp == 1)
        #expect(first.bytes[4..<9] == second.bytes[4..<9])
        #expect(first.bytes[9...] != second.bytes[9...])
    }

    @Test("generates different identifiers on many tasks at once")
    func concurrentGeneration() async {
        let ids = await withTaskGroup(of: [ObjectID].self) { group in
            for _ in 0..<8 {
                group.addTask { (0..<5_000).map { _ in ObjectID(timestamp: 42) } }
            }
            return await group.reduce(into: Set<ObjectID>()) { $0.formUnion($1) }
        }
        #expect(ids.count == 40_000)
    }
}
