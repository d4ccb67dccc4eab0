extension BSONDocument {
    /// The elements, in order, each decoded when it is reached.
    public var elements: BSONElements {
        BSONElements(document: self)
    }

    /// The elements, in order, as the bytes they consist of.
    public var rawElements: BSONRawElements {
        BSONRawElements(document: self)
    }

    /// The number of elements. It is counted at each access.
    public var count: Int {
        var count = 0
        forEachLocation { _ in count += 1 }
        return count
    }

    /// The keys, in order and with their repetitions. Those that are not valid UTF-8 are repaired.
    public var keys: [String] {
        var keys: [String] = []
        forEachLocation { keys.append(bytes.span.bytes.text(in: $0.key)) }
        return keys
    }

    /// The offsets of the elements.
    var elementOffsets: [UInt32] {
        var offsets: [UInt32] = []
        forEachLocation { offsets.append(UInt32($0.start)) }
        return offsets
    }

    /// Where the element that begins at `offset` lies, or nil when the document ends there.
    func location(atOffset offset: Int) -> BSONElementLocation? {
        BSONReader.element(bytes.span.bytes, at: offset)
    }

    /// The value of the element that begins at `offset`, which must be the offset of one.
    func value(atOffset offset: Int) -> BSONValue {
        let storage = bytes
        guard let element = BSONReader.element(storage.span.bytes, at: offset) else { return .null }
        return BSONReader.value(storage.span.bytes, element)
    }

    private func forEachLocation(_ body: (BSONElementLocation) -> Void) {
        let storage = bytes
        var offset = BSONReader.firstElement
        while let element = BSONReader.element(storage.span.bytes, at: offset) {
            body(element)
            offset = element.end
        }
    }
}
