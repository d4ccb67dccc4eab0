import BSON
import Testing

@Suite("Values")
struct BSONValueTests {
    @Test("takes literals as the type they look like")
    func literals() {
        let number = 7
        let document: BSONDocument = [
            "text": "a", "interpolated": "n=\(number)", "int": 1, "negative": -2_147_483_648, "long": 2_147_483_648,
            "double": 1.0, "flag": true, "nothing": nil, "array": [1, "two"], "document": ["z": 1, "a": 2],
        ]
        #expect(document["text"] == .string("a"))
        #expect(document["interpolated"] == .string("n=7"))
        #expect(document["int"] == .int32(1))
        #expect(document["negative"] == .int32(.min))
        #expect(document["long"] == .int64(2_147_483_648))
        #expect(document["double"] == .double(1))
        #expect(document["flag"] == .bool(true))
        #expect(document["nothing"] == .some(.null))
        #expect(document["array"] == .array(BSONArray([.int32(1), .string("two")])))
        #expect(document["document"]?.document?.keys == ["z", "a"])
        #expect(document.keys.first == "text")
    }

    @Test("tells the width of numbers, the bits of doubles and the bytes of strings apart")
    func exactEquality() {
        #expect(BSONValue.int32(1) != .int64(1))
        #expect(BSONValue.int32(1) != .double(1))
        #expect(BSONValue.double(0.0) != .double(-0.0))
        #expect(BSONValue.double(.nan) == .double(.nan))
        #expect(BSONValue.string("\u{e9}") != .string("e\u{301}"))
        #expect(BSONValue.string("a") != .symbol("a"))
        #expect(BSONValue.null != .undefined)
        let (composed, decomposed) = ("\u{e9}", "e\u{301}")
        #expect(BSONRegularExpression(pattern: composed) != BSONRegularExpression(pattern: decomposed))
        #expect(BSONDBPointer(namespace: composed, id: .min) != BSONDBPointer(namespace: decomposed, id: .min))
        #expect(BSONElement(key: composed, value: nil) != BSONElement(key: decomposed, value: nil))
    }

    @Test("equals and hashes like itself and like no other sample")
    func samplesDiffer() {
        let values = Samples.values.map(\.value)
        #expect(Set(values).count == values.count)
        for (position, value) in values.enumerated() {
            #expect(values.firstIndex(of: value) == position)
        }
    }

    @Test("gives a typed view for its own type only")
    func views() {
        for (value, _) in Samples.values {
            #expect((value.string != nil) == (value.type == .string))
            #expect((value.bool != nil) == (value.type == .bool))
            #expect((value.objectID != nil) == (value.type == .objectID))
            #expect((value.document != nil) == (value.type == .document))
            #expect((value.array != nil) == (value.type == .array))
            #expect((value.date != nil) == (value.type == .date))
            #expect((value.int32 != nil) == (value.type == .int32))
            #expect((value.int64 != nil) == (value.type == .int64))
            #expect((value.binary != nil) == (value.type == .binary))
            #expect((value.integer != nil) == [.int32, .int64].contains(value.type))
            #expect((value.number != nil) == [.int32, .int64, .double].contains(value.type))
            #expect(value.isNull == (value.type == .null))
        }
    }

    @Test("converts numbers only where asked")
    func numbers() {
        #expect(BSONValue.int32(-5).integer == -5)
        #expect(BSONValue.int64(.max).integer == .max)
        #expect(BSONValue.int32(3).number == 3)
        #expect(BSONValue.double(0.5).number == 0.5)
        #expect(BSONValue.double(3).integer == nil)
    }

    @Test("orders timestamps by seconds, then increment")
    func timestampOrder() {
        let early = BSONTimestamp(seconds: 1, increment: 9)
        #expect(early < BSONTimestamp(seconds: 2, increment: 0))
        #expect(early < BSONTimestamp(seconds: 1, increment: 10))
        #expect(!(early < early))
    }

    @Test("a large value is shown by what it is and how it begins, a small one as it is")
    func excerpt() {
        let long = BSONValue.string(String(repeating: "é", count: 100_000))
        for value in [
            long, .document(["a": long]), .array([long]), .document([String(repeating: "k", count: 5_000): 1]),
        ] {
            let cut = value.excerpt().document?["cut"]?.document
            #expect(cut?["type"]?.string == "\(value.type)")
            #expect((cut?["bytes"]?.integer ?? 0) > 5_000)
            #expect((["v": value.excerpt()] as BSONDocument).byteCount < 1024)
            #expect(value.excerpt().excerpt() == value.excerpt())
        }
        for value in ["a", 1, .null, .document(["a": 1]), .string(String(repeating: "a", count: 1_000))] as [BSONValue]
        {
            #expect(value.excerpt() == value)
        }
    }
}
