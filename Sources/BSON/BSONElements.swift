/// The elements of a document, in order, each decoded when it is reached.
public struct BSONElements: Sequence, Sendable {
    fileprivate let document: BSONDocument

    init(document: BSONDocument) {
        self.document = document
    }

    /// Begins at the first element.
    public func makeIterator() -> Iterator {
        Iterator(document: document)
    }

    /// A walk over the elements of a document.
    public struct Iterator: IteratorProtocol, Sendable {
        private let document: BSONDocument
        private var offset = BSONReader.firstElement

        fileprivate init(document: BSONDocument) {
            self.document = document
        }

        /// The next element, or nil behind the last.
        public mutating func next() -> BSONElement? {
            let storage = document.bytes
            guard let element = BSONReader.element(storage.span.bytes, at: offset) else { return nil }
            offset = element.end
            return BSONElement(
                key: storage.span.bytes.text(in: element.key),
                value: BSONReader.value(storage.span.bytes, element)
            )
        }
    }
}
