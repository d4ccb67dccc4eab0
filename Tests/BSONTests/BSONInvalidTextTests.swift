import BSON
import Testing

/// Databases hold strings that are not valid UTF-8; they must be readable, and survive untouched.
@Suite("Invalid UTF-8")
struct BSONInvalidTextTests {
    /// `{"good": 1, "<ff>k": "a<ff>b", "bad": "<c3>", "last": {"x": "<ed a0 80>"}}`
    static let bytes = documentBytes(
        hex(
            """
            10 676f6f6400 01000000
            02 ff6b00 04000000 61ff6200
            02 62616400 02000000 c300
            03 6c61737400 10000000 02 7800 04000000 eda08000 00
            """
        )
    )

    @Test("is repaired in keys; in values it stays as it is, and differs from what it would be repaired to")
    func values() throws {
        let document = try BSONDocument(validating: Self.bytes)
        #expect(document.keys == ["good", "\u{fffd}k", "bad", "last"])
        #expect(document.elements.map(\.value)[1] == .invalidString([0x61, 0xff, 0x62]))
        #expect(document["bad"] == .invalidString([0xc3]))
        #expect(document["bad"]?.type == .string)
        #expect(document["bad"]?.string == nil)
        #expect(document["bad"] != "\u{fffd}")
        let written = BSONDocument([("bad", .invalidString([0xc3]))])
        #expect(written.bytes == documentBytes(hex("02 62616400 02000000 c300")))
        #expect(document["\u{fffd}k"] == nil)
        #expect(Audit(document).complaints.isEmpty)
    }

    @Test("is kept when other elements are replaced, removed or added")
    func keeps() throws {
        let document = try BSONDocument(validating: Self.bytes)
        let tail = Self.bytes[14..<(Self.bytes.count - 1)]
        #expect(document.bytes == Self.bytes)
        #expect(document.replacing("good", with: "x").bytes.suffix(tail.count + 1) == tail + [0])
        #expect(document.removing("good").bytes == documentBytes(Array(tail)))
        var longer = document
        longer.append("new", true)
        #expect(longer.bytes == documentBytes(Array(Self.bytes.dropFirst(4).dropLast()) + hex("08 6e657700 01")))
    }

    @Test("is kept when elements are spliced into another document")
    func splices() throws {
        let document = try BSONDocument(validating: Self.bytes)
        var copy: BSONDocument = ["first": 1]
        for element in document.rawElements where element.key != "good" {
            copy.append(raw: element)
        }
        let first = hex("10 666972737400 01000000")
        #expect(copy.bytes == documentBytes(first + Self.bytes[14..<(Self.bytes.count - 1)]))
    }

    @Test("is kept inside a nested document that is read and written as a value")
    func nested() throws {
        let document = try BSONDocument(validating: Self.bytes)
        let inner = try #require(document["last"])
        #expect(document.replacing("last", with: inner) == document)
        #expect(BSONDocument([("last", inner)]).bytes == documentBytes(Array(Self.bytes[37..<(Self.bytes.count - 1)])))
    }

    @Test("gives raw elements their type, key and bytes")
    func raw() throws {
        let document = try BSONDocument(validating: Self.bytes)
        let elements = Array(document.rawElements)
        #expect(elements.map(\.type) == [.int32, .string, .string, .document])
        #expect(Array(elements[1].bytes) == hex("02 ff6b00 04000000 61ff6200"))
        #expect(elements[0].value == 1)
        #expect(Set(elements).count == 4)
    }
}
