/// The structural check of a document and everything nested in it, in one pass and without recursion.
///
/// The validator allocates nothing that depends on a length in the data: it keeps one number for each open
/// document, and at most ``BSONDocument/maximumDepth`` may be open.
struct BSONValidator {
    /// The fewest bytes of a document: its length and its terminator.
    static let minimumDocumentSize = 5

    /// The offsets behind the open documents, the innermost last.
    private var ends: [Int] = []

    /// The offset of the next byte to look at.
    private var cursor = 0

    private init() {}

    /// Checks that `bytes` are exactly one document.
    static func check(_ bytes: RawSpan) throws(BSONError) {
        guard bytes.byteCount >= minimumDocumentSize else {
            throw BSONError(.truncated, at: bytes.byteCount, "A document has at least \(minimumDocumentSize) bytes.")
        }
        let size = bytes.length(at: 0)
        if size >= minimumDocumentSize, size < bytes.byteCount {
            let excess = bytes.byteCount - size
            throw BSONError(.trailingBytes, at: size, "There are \(excess) bytes after the end of the document.")
        }
        var validator = BSONValidator()
        try validator.openDocument(bytes, limit: bytes.byteCount)
        try validator.run(bytes)
    }

    /// Checks elements until every open document has ended.
    private mutating func run(_ bytes: RawSpan) throws(BSONError) {
        while let end = ends.last {
            let terminator = end - 1
            if cursor == terminator {
                ends.removeLast()
                cursor = end
                continue
            }
            let start = cursor
            let byte = bytes.byte(at: start)
            guard let type = BSONType(rawValue: byte) else {
                throw Self.badTypeByte(byte, at: start)
            }
            cursor += 1
            try skipCString(bytes, limit: terminator)
            try checkValue(bytes, type, limit: terminator)
        }
    }

    private static func badTypeByte(_ byte: UInt8, at offset: Int) -> BSONError {
        if byte == 0 {
            return BSONError(.invalidTerminator, at: offset, "The document ends before its length says.")
        }
        return BSONError(.unknownType, at: offset, "The type byte 0x\(Hexadecimal.string(of: [byte])) is unknown.")
    }

    /// Checks the value at the cursor and moves behind it, or behind the length of the document it opens.
    private mutating func checkValue(_ bytes: RawSpan, _ type: BSONType, limit: Int) throws(BSONError) {
        switch type {
        case .undefined, .null, .minKey, .maxKey: break
        case .bool: try checkBool(bytes, limit: limit)
        case .int32: try skip(4, limit: limit)
        case .double, .date, .timestamp, .int64: try skip(8, limit: limit)
        case .objectID: try skip(ObjectID.byteCount, limit: limit)
        case .decimal128: try skip(16, limit: limit)
        case .string, .javascript, .symbol: try skipString(bytes, limit: limit)
        case .document, .array: try openDocument(bytes, limit: limit)
        case .binary: try checkBinary(bytes, limit: limit)
        case .regularExpression:
            try skipCString(bytes, limit: limit)
            try skipCString(bytes, limit: limit)
        case .dbPointer:
            try skipString(bytes, limit: limit)
            try skip(ObjectID.byteCount, limit: limit)
        case .javascriptWithScope: try openScope(bytes, limit: limit)
        }
    }
}

extension BSONValidator {
    /// Moves over `count` bytes, which must end at or before `limit`.
    private mutating func skip(_ count: Int, limit: Int) throws(BSONError) {
        guard count <= limit - cursor else {
            throw BSONError(.truncated, at: cursor, "The value needs \(count) bytes; \(limit - cursor) are left.")
        }
        cursor += count
    }

    /// Moves over a signed 32-bit length and returns it.
    private mutating func takeLength(_ bytes: RawSpan, limit: Int, atLeast least: Int) throws(BSONError) -> Int {
        let start = cursor
        try skip(4, limit: limit)
        let length = bytes.length(at: start)
        guard length >= least else {
            throw BSONError(.invalidLength, at: start, "The length is \(length); it must be at least \(least).")
        }
        return length
    }

    /// Moves over a key or another NUL-terminated string.
    private mutating func skipCString(_ bytes: RawSpan, limit: Int) throws(BSONError) {
        guard let end = bytes.firstNUL(from: cursor, before: limit) else {
            throw BSONError(.invalidTerminator, at: cursor, "The key or pattern does not end within its document.")
        }
        cursor = end + 1
    }

    /// Moves over a string with a length, which counts its NUL byte.
    private mutating func skipString(_ bytes: RawSpan, limit: Int) throws(BSONError) {
        let length = try takeLength(bytes, limit: limit, atLeast: 1)
        try skip(length, limit: limit)
        guard bytes.byte(at: cursor - 1) == 0 else {
            throw BSONError(.invalidTerminator, at: cursor - 1, "The string does not end with a NUL byte.")
        }
    }

    private mutating func checkBool(_ bytes: RawSpan, limit: Int) throws(BSONError) {
        let start = cursor
        try skip(1, limit: limit)
        let byte = bytes.byte(at: start)
        guard byte <= 1 else {
            throw BSONError(.invalidBool, at: start, "A truth value is 0 or 1; this one is \(byte).")
        }
    }

    /// Checks binary data; that of subtype 2 holds a second length, four smaller than the first.
    private mutating func checkBinary(_ bytes: RawSpan, limit: Int) throws(BSONError) {
        let length = try takeLength(bytes, limit: limit, atLeast: 0)
        try skip(1, limit: limit)
        let start = cursor
        try skip(length, limit: limit)
        guard bytes.byte(at: start - 1) == BSONBinary.oldSubtype else { return }
        guard length >= 4, bytes.length(at: start) == length - 4 else {
            throw BSONError(.invalidLength, at: start, "The inner length of binary subtype 2 does not fit the outer.")
        }
    }

    /// Checks the length and the last byte of the document at the cursor, and makes it the innermost open one.
    private mutating func openDocument(_ bytes: RawSpan, limit: Int) throws(BSONError) {
        let start = cursor
        guard ends.count < BSONDocument.maximumDepth else {
            let depth = BSONDocument.maximumDepth
            throw BSONError(.tooDeep, at: start, "Documents are nested deeper than \(depth) levels.")
        }
        let length = try takeLength(bytes, limit: limit, atLeast: Self.minimumDocumentSize)
        guard length <= limit - start else {
            throw BSONError(.truncated, at: start, "The document has \(length) bytes; \(limit - start) are left.")
        }
        let end = start + length
        guard bytes.byte(at: end - 1) == 0 else {
            throw BSONError(.invalidTerminator, at: end - 1, "The document does not end with a NUL byte.")
        }
        ends.append(end)
    }

    /// Checks code with a scope up to the scope, which becomes the innermost open document.
    private mutating func openScope(_ bytes: RawSpan, limit: Int) throws(BSONError) {
        let start = cursor
        let length = try takeLength(bytes, limit: limit, atLeast: 4 + 5 + Self.minimumDocumentSize)
        guard length <= limit - start else {
            throw BSONError(.truncated, at: start, "The code has \(length) bytes; \(limit - start) are left.")
        }
        let end = start + length
        try skipString(bytes, limit: end)
        let scope = cursor
        try openDocument(bytes, limit: end)
        guard ends.last == end else {
            throw BSONError(.invalidLength, at: scope, "The scope does not end where the code with scope does.")
        }
    }
}
