import BSON
import Testing

@Suite("Documents")
struct BSONDocumentTests {
    @Test("is five bytes when empty")
    func empty() {
        #expect(BSONDocument().bytes == [5, 0, 0, 0, 0])
        #expect(BSONDocument() == [:])
        #expect(BSONDocument().isEmpty)
        #expect(BSONDocument().count == 0)
        #expect(BSONDocument().keys == [])
        #expect(BSONDocument()["a"] == nil)
    }

    @Test("reads the first of two equal keys")
    func duplicates() {
        let document: BSONDocument = ["a": 1, "b": 2, "a": 3]
        #expect(document["a"] == 1)
        #expect(document.count == 3)
        #expect(document.keys == ["a", "b", "a"])
        #expect(document.elements.map(\.value) == [1, 2, 3])
    }

    @Test("replaces the first of two equal keys and keeps the other")
    func replacesFirst() {
        let document: BSONDocument = ["a": 1, "b": 2, "a": 3]
        #expect(document.replacing("a", with: "x") == ["a": "x", "b": 2, "a": 3])
    }

    @Test("removes every element with a key")
    func removes() {
        var document: BSONDocument = ["a": 1, "b": 2, "a": 3]
        #expect(document.removing("a") == ["b": 2])
        #expect(document.removing("none") == document)
        document["a"] = nil
        #expect(document == ["b": 2])
        #expect(document["a"] == nil)
        document["b"] = nil
        #expect(document == BSONDocument())
    }

    @Test("replaces in place, appends what is absent, and tells null from nothing")
    func subscriptSet() {
        var document: BSONDocument = ["a": 1, "b": 2]
        document["a"] = "a longer value"
        document["c"] = .null
        #expect(document == ["a": "a longer value", "b": 2, "c": nil])
        #expect(document["c"] != nil)
        #expect(document["c"]?.isNull == true)
        #expect(document["d"] == nil)
    }

    @Test("keeps every other byte when one value is replaced", arguments: Samples.values.indices)
    func replacingKeepsOthers(index: Int) throws {
        let (value, _) = Samples.values[index]
        for element in Samples.everything.rawElements {
            let replaced = Samples.everything.replacing(element.key, with: value)
            _ = try BSONDocument(validating: replaced.bytes)
            #expect(replaced.keys == Samples.everything.keys)
            for (old, new) in zip(Samples.everything.rawElements, replaced.rawElements) {
                if old.key == element.key {
                    #expect(new.value == value)
                } else {
                    #expect(old.bytes == new.bytes)
                }
            }
        }
    }

    @Test("descends documents, not arrays or other values")
    func path() {
        let document: BSONDocument = ["a": ["b": ["c": 1, "b": 2]], "list": [["c": 1]], "n": 1]
        #expect(document.value(at: "a", "b", "c") == 1)
        #expect(document.value(at: "a", "b", "b") == 2)
        #expect(document.value(at: "a", "b") == ["c": 1, "b": 2])
        #expect(document.value(at: "a", "x", "c") == nil)
        #expect(document.value(at: "n", "c") == nil)
        #expect(document.value(at: "list", "0") == nil)
        #expect(document.value(at: "list") == [["c": 1]])
        #expect(document.value() == nil)
    }

    @Test("looks keys up by their bytes alone")
    func keyBytes() {
        let document: BSONDocument = ["\u{e9}": 1, "e\u{301}": 2, "": 3, "ab": 4, "a": 5, "a very long key indeed": 6]
        #expect(document["\u{e9}"] == 1)
        #expect(document["e\u{301}"] == 2)
        #expect(document[""] == 3)
        #expect(document["ab"] == 4)
        #expect(document["a"] == 5)
        #expect(document["a very long key indeed"] == 6)
        #expect(document["a very long key indeeD"] == nil)
        #expect(document["a\0"] == nil)
    }

    @Test("stays a valid document while elements come and go")
    func editing() throws {
        var document = BSONDocument()
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<2_000 {
            let key = "k\(generator.next() % 40)"
            let value = Samples.values[Int(generator.next() % UInt64(Samples.values.count))].value
            switch generator.next() % 4 {
            case 0: document[key] = nil
            case 1: document.append(key, value)
            default: document[key] = value
            }
            #expect(try BSONDocument(validating: document.bytes) == document)
        }
    }

    @Test("does not change a copy")
    func valueSemantics() {
        let original: BSONDocument = ["a": 1]
        var copy = original
        copy["a"] = 2
        copy.append("b", 3)
        #expect(original == ["a": 1])
        #expect(copy == ["a": 2, "b": 3])
    }

    @Test("hashes by bytes, so order matters")
    func hashing() {
        let documents: Set<BSONDocument> = [["a": 1, "b": 2], ["b": 2, "a": 1], ["a": 1, "b": 2]]
        #expect(documents.count == 2)
    }

    @Test("stops with a sentence at a key that holds a NUL character")
    func keyWithNUL() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            var document = BSONDocument()
            document.append("a\0b", 1)
        }
        let message = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(message.contains("A BSON key cannot hold a NUL character."))
    }

    @Test("stops with a sentence at a regular expression that holds a NUL character")
    func expressionWithNUL() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = BSONDocument([("a", .regularExpression(BSONRegularExpression(pattern: "a\0b")))])
        }
        let message = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(message.contains("A BSON regular expression cannot hold a NUL character."))
    }
}
