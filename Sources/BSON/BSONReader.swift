/// Reading of bytes that are known to be a valid document.
///
/// Every access still goes through a span and so is checked; with valid documents no check ever fails.
enum BSONReader {
    /// The offset of a document's first element from the start of the document.
    static let firstElement = 4

    /// Finds the element that begins at `offset`, or returns nil when the document ends there.
    @inline(__always)
    static func element(_ bytes: RawSpan, at offset: Int) -> BSONElementLocation? {
        let code = bytes.byte(at: offset)
        guard
            let type = BSONType(rawValue: code),
            let keyEnd = bytes.firstNUL(from: offset + 1, before: bytes.byteCount),
            let size = valueSize(bytes, code, at: keyEnd + 1)
        else { return nil }
        return BSONElementLocation(start: offset, keyEnd: keyEnd, end: keyEnd + 1 + size, type: type)
    }

    /// Finds the first element with the UTF-8 bytes `key` in the document that begins at `document`.
    static func find(_ key: UnsafeBufferPointer<UInt8>, _ bytes: RawSpan, document: Int) -> BSONElementLocation? {
        var offset = document + firstElement
        while true {
            let code = bytes.byte(at: offset)
            guard
                code != 0,
                let keyEnd = bytes.firstNUL(from: offset + 1, before: bytes.byteCount),
                let size = valueSize(bytes, code, at: keyEnd + 1)
            else { return nil }
            if isEqual(key, bytes, offset + 1..<keyEnd) { return element(bytes, at: offset) }
            offset = keyEnd + 1 + size
        }
    }

    @inline(__always)
    private static func isEqual(_ key: UnsafeBufferPointer<UInt8>, _ bytes: RawSpan, _ range: Range<Int>) -> Bool {
        guard key.count == range.count else { return false }
        for position in 0..<key.count where key[position] != bytes.byte(at: range.lowerBound + position) {
            return false
        }
        return true
    }

    /// The number of bytes of the value with the type byte `code` that begins at `offset`, or nil when the byte is
    /// that of no type, as at the end of a document.
    ///
    /// It looks at the byte itself because this is what looking keys up spends its time on.
    @inline(__always)
    private static func valueSize(_ bytes: RawSpan, _ code: UInt8, at offset: Int) -> Int? {
        switch code {
        case BSONType.double.rawValue, BSONType.date.rawValue: 8
        case BSONType.timestamp.rawValue, BSONType.int64.rawValue: 8
        case BSONType.string.rawValue, BSONType.javascript.rawValue: 4 + bytes.length(at: offset)
        case BSONType.symbol.rawValue: 4 + bytes.length(at: offset)
        case BSONType.document.rawValue, BSONType.array.rawValue: bytes.length(at: offset)
        case BSONType.javascriptWithScope.rawValue: bytes.length(at: offset)
        case BSONType.binary.rawValue: 5 + bytes.length(at: offset)
        case BSONType.objectID.rawValue: ObjectID.byteCount
        case BSONType.bool.rawValue: 1
        case BSONType.int32.rawValue: 4
        case BSONType.decimal128.rawValue: 16
        case BSONType.undefined.rawValue, BSONType.null.rawValue: 0
        case BSONType.minKey.rawValue, BSONType.maxKey.rawValue: 0
        case BSONType.regularExpression.rawValue: regularExpressionSize(bytes, at: offset)
        case BSONType.dbPointer.rawValue: 4 + bytes.length(at: offset) + ObjectID.byteCount
        default: nil
        }
    }

    private static func regularExpressionSize(_ bytes: RawSpan, at offset: Int) -> Int {
        let end = cStringEnd(bytes, from: cStringEnd(bytes, from: offset) + 1)
        return end + 1 - offset
    }

    /// The offset of the NUL byte behind the string that begins at `offset`.
    static func cStringEnd(_ bytes: RawSpan, from offset: Int) -> Int {
        bytes.firstNUL(from: offset, before: bytes.byteCount) ?? bytes.byteCount
    }
}
