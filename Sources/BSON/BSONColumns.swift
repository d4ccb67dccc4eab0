/// Some elements of many documents that are alike, each document gone through once.
///
/// Looking keys up one by one begins at the front each time. Here each element is compared with the keys that weren't found
/// yet, beginning with the one behind the last that was: in documents of the same making nearly always the right one.
package struct BSONColumns: Sendable {
    private let keys: [[UInt8]]
    private var storage: [UInt8] = []
    /// Where each key's first element is, if there is one.
    private var elements: [BSONElementLocation?]

    /// Makes columns of keys, with nothing in them.
    package init(_ keys: [String]) {
        self.keys = keys.map { Array($0.utf8) }
        elements = keys.map { _ in nil }
    }

    /// Finds the elements of another document.
    package mutating func read(_ document: BSONDocument) {
        let storage = document.bytes
        self.storage = storage
        for column in keys.indices { elements[column] = nil }
        let bytes = storage.span.bytes
        var (offset, next, missing) = (BSONReader.firstElement, 0, keys.count)
        while missing > 0, let element = BSONReader.element(bytes, at: offset) {
            offset = element.end
            for step in keys.indices {
                let column = next + step < keys.count ? next + step : next + step - keys.count
                guard elements[column] == nil, hasKey(element, column, bytes) else { continue }
                elements[column] = element
                (next, missing) = (column + 1 == keys.count ? 0 : column + 1, missing - 1)
                break
            }
        }
    }

    /// The type of a column's value; nil where the document has no such element.
    package func type(_ column: Int) -> BSONType? { elements[column]?.type }

    /// A column's value; nil where the document has no such element.
    package func value(_ column: Int) -> BSONValue? {
        elements[column].map { BSONReader.value(storage.span.bytes, $0) }
    }

    /// Whether another document has the same in a column, byte by byte.
    package func isSame(_ column: Int, as other: BSONColumns) -> Bool {
        guard let mine = elements[column], let its = other.elements[column] else {
            return elements[column] == nil && other.elements[column] == nil
        }
        guard mine.type == its.type, mine.value.count == its.value.count else { return false }
        let (bytes, others) = (storage.span.bytes, other.storage.span.bytes)
        for position in 0..<mine.value.count
        where bytes.byte(at: mine.value.lowerBound + position) != others.byte(at: its.value.lowerBound + position) {
            return false
        }
        return true
    }

    @inline(__always)
    private func hasKey(_ element: BSONElementLocation, _ column: Int, _ bytes: RawSpan) -> Bool {
        let key = keys[column]
        guard key.count == element.keyEnd - element.start - 1 else { return false }
        for position in key.indices where key[position] != bytes.byte(at: element.start + 1 + position) { return false }
        return true
    }
}
