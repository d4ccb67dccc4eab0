import BSON
import Testing

@Suite("Arrays")
struct BSONArrayTests {
    @Test("writes the keys 0, 1, 2 and so on, past ten")
    func canonicalKeys() {
        var array: BSONArray = [0, 1]
        for number in 2..<12 {
            array.append(.int32(Int32(number)))
        }
        #expect(array.document.keys == (0..<12).map(String.init))
        #expect(array.values == (0..<12).map { BSONValue.int32($0) })
        #expect(array.count == 12)
        #expect(array[11] == 11)
        #expect(array.last == 11)
        #expect(Array(array.reversed()) == array.values.reversed())
    }

    @Test("ignores the keys it reads, and keeps them")
    func foreignKeys() throws {
        let inner = documentBytes(hex("10 7800 05000000 08 7800 01 0a 00"))
        let bytes = documentBytes(hex("04 6100") + inner)
        let document = try BSONDocument(validating: bytes)
        var array = try #require(document["a"]?.array)
        #expect(array.values == [5, true, nil])
        #expect(array.document.keys == ["x", "x", ""])
        #expect(BSONDocument([("a", .array(array))]).bytes == bytes)
        array.append("new")
        #expect(array.document.keys == ["x", "x", "", "3"])
        #expect(array.values == [5, true, nil, "new"])
    }

    @Test("is empty without values")
    func empty() {
        #expect(BSONArray().isEmpty)
        #expect(BSONArray().document == BSONDocument())
        #expect(BSONArray([BSONValue]()).values == [])
        #expect(BSONArray() == [])
        #expect([BSONArray(), [1], [1]].reduce(into: Set()) { $0.insert($1) }.count == 2)
    }

    @Test("describes itself without its values")
    func description() {
        let array: BSONArray = ["secret", 1]
        #expect(array.description == "BSONArray(26 bytes, 2 values)")
        #expect(array.debugDescription == "[\"secret\", 1]")
    }
}
