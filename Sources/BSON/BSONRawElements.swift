/// The elements of a document, in order, as the bytes they consist of.
public struct BSONRawElements: Sequence, Sendable {
    fileprivate let document: BSONDocument

    init(document: BSONDocument) {
        self.document = document
    }

    /// Begins at the first element.
    public func makeIterator() -> Iterator {
        Iterator(document: document)
    }

    /// A walk over the raw elements of a document.
    public struct Iterator: IteratorProtocol, Sendable {
        private let document: BSONDocument
        private var offset = BSONReader.firstElement

        fileprivate init(document: BSONDocument) {
            self.document = document
        }

        /// The next element, or nil behind the last.
        public mutating func next() -> BSONRawElement? {
            guard let element = document.location(atOffset: offset) else { return nil }
            offset = element.end
            return BSONRawElement(document.bytes, element)
        }
    }
}
