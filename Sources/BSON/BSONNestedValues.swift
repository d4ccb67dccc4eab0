/// The values of an array within a document, in order, each decoded when it is reached.
///
/// Nothing but those values is copied, however large the array is. It keeps the whole document alive.
package struct BSONNestedValues: IteratorProtocol, Sendable {
    private let document: BSONDocument
    private var offset: Int

    fileprivate init(_ document: BSONDocument, array: Int) {
        self.document = document
        offset = array + BSONReader.firstElement
    }

    /// The next value, or nil behind the last.
    package mutating func next() -> BSONValue? {
        let storage = document.bytes
        guard let element = BSONReader.element(storage.span.bytes, at: offset) else { return nil }
        offset = element.end
        return BSONReader.value(storage.span.bytes, element)
    }
}

extension BSONDocument {
    /// The values of an array at the end of a path of two keys; nil where there is no array.
    package func nestedValues(at key: String, _ inner: String) -> BSONNestedValues? {
        guard let outer = location(of: key), outer.type == .document else { return nil }
        let storage = bytes
        var inner = inner
        let found = inner.withUTF8 { BSONReader.find($0, storage.span.bytes, document: outer.value.lowerBound) }
        guard let found, found.type == .array else { return nil }
        return BSONNestedValues(self, array: found.value.lowerBound)
    }
}
