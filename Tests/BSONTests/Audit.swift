import BSON

/// Reads a document completely, nested documents included, and finds what does not hold together.
struct Audit {
    /// What was wrong, if anything.
    private(set) var complaints: [String] = []

    /// How many values were read.
    private(set) var values = 0

    init(_ document: BSONDocument) {
        check(document, depth: 1)
        if document.debugDescription.isEmpty || document.description.isEmpty {
            complaints.append("no description")
        }
    }

    private mutating func check(_ document: BSONDocument, depth: Int) {
        expect(depth <= BSONDocument.maximumDepth, "too deep")
        var copy = BSONDocument()
        var count = 0
        var elements = document.elements.makeIterator()
        for raw in document.rawElements {
            let element = elements.next()
            expect(element == BSONElement(key: raw.key, value: raw.value), "raw and decoded elements differ")
            expect(raw.type == raw.value.type, "the types differ")
            copy.append(raw: raw)
            check(raw, in: document, depth: depth)
            count += 1
        }
        expect(elements.next() == nil, "more decoded than raw elements")
        expect(copy == document, "raw elements do not give the document again")
        expect(document.count == count && document.keys.count == count, "the counts differ")
        expect(document.isEmpty == (count == 0), "isEmpty is wrong")
    }

    private mutating func check(_ raw: BSONRawElement, in document: BSONDocument, depth: Int) {
        let (key, value) = (raw.key, raw.value)
        values += 1
        if !Self.mayBeRepaired(key) {
            expect(document[key] != nil, "a key is not found")
            if !Self.mayBeRepaired(value) {
                let bytes = BSONDocument([(key, value)]).bytes
                expect(bytes.dropFirst(4).dropLast() == raw.bytes, "a value is written with other bytes")
            }
        }
        switch value {
        case .document(let inner): check(inner, depth: depth + 1)
        case .array(let array): check(array, depth: depth)
        case .javascriptWithScope(let code): check(code.scope, depth: depth + 1)
        default: break
        }
    }

    private mutating func check(_ array: BSONArray, depth: Int) {
        check(array.document, depth: depth + 1)
        expect(array.values == array.document.elements.map(\.value), "the array and its document differ")
        expect(array.count == array.document.count, "the counts of an array differ")
        expect(BSONArray(array.values).values == array.values, "an array with new keys holds other values")
    }

    private mutating func expect(_ condition: Bool, _ complaint: String) {
        if !condition { complaints.append(complaint) }
    }

    /// Whether the text holds the replacement character, so its bytes may have been others.
    private static func mayBeRepaired(_ text: String) -> Bool {
        text.unicodeScalars.contains("\u{fffd}")
    }

    private static func mayBeRepaired(_ value: BSONValue) -> Bool {
        switch value {
        case .string(let text), .javascript(let text), .symbol(let text): mayBeRepaired(text)
        case .regularExpression(let expression): mayBeRepaired(expression.pattern) || mayBeRepaired(expression.options)
        case .dbPointer(let pointer): mayBeRepaired(pointer.namespace)
        case .javascriptWithScope(let code): mayBeRepaired(code.code)
        default: false
        }
    }
}
