extension BSONReader {
    /// Decodes the value of an element.
    static func value(_ bytes: RawSpan, _ element: BSONElementLocation) -> BSONValue {
        let range = element.value
        let start = range.lowerBound
        switch element.type {
        case .double: return .double(Double(bitPattern: bytes.integer(at: start, as: UInt64.self)))
        case .string: return text(bytes, at: start)
        case .document: return .document(BSONDocument(trusted: bytes.copy(of: range)))
        case .array: return .array(BSONArray(document: BSONDocument(trusted: bytes.copy(of: range))))
        case .binary: return .binary(binary(bytes, range))
        case .undefined: return .undefined
        case .objectID: return .objectID(objectID(bytes, at: start))
        case .bool: return .bool(bytes.byte(at: start) != 0)
        case .date: return .date(bytes.integer(at: start, as: Int64.self))
        case .null: return .null
        case .regularExpression: return .regularExpression(regularExpression(bytes, at: start))
        case .dbPointer: return .dbPointer(dbPointer(bytes, range))
        case .javascript: return .javascript(string(bytes, at: start))
        case .symbol: return .symbol(string(bytes, at: start))
        case .javascriptWithScope: return .javascriptWithScope(javascriptWithScope(bytes, range))
        case .int32: return .int32(bytes.integer(at: start, as: Int32.self))
        case .timestamp: return .timestamp(timestamp(bytes, at: start))
        case .int64: return .int64(bytes.integer(at: start, as: Int64.self))
        case .decimal128: return .decimal128(decimal128(bytes, at: start))
        case .minKey: return .minKey
        case .maxKey: return .maxKey
        }
    }

    /// Decodes a string whatever its bytes are.
    private static func text(_ bytes: RawSpan, at offset: Int) -> BSONValue {
        let start = offset + 4
        let range = start..<start + bytes.length(at: offset) - 1
        let text = bytes.extracting(range).withUnsafeBytes { String(validating: $0, as: UTF8.self) }
        return text.map { .string($0) } ?? .invalidString(bytes.copy(of: range))
    }

    /// Decodes a string with a length, which counts the NUL byte at its end.
    private static func string(_ bytes: RawSpan, at offset: Int) -> String {
        let start = offset + 4
        return bytes.text(in: start..<start + bytes.length(at: offset) - 1)
    }

    private static func objectID(_ bytes: RawSpan, at offset: Int) -> ObjectID {
        ObjectID(
            high: UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)),
            low: UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset + 8, as: UInt32.self))
        )
    }

    private static func binary(_ bytes: RawSpan, _ range: Range<Int>) -> BSONBinary {
        let subtype = bytes.byte(at: range.lowerBound + 4)
        let start = range.lowerBound + (subtype == BSONBinary.oldSubtype ? 9 : 5)
        return BSONBinary(subtype: subtype, bytes: bytes.copy(of: start..<range.upperBound))
    }

    private static func regularExpression(_ bytes: RawSpan, at offset: Int) -> BSONRegularExpression {
        let patternEnd = cStringEnd(bytes, from: offset)
        let optionsEnd = cStringEnd(bytes, from: patternEnd + 1)
        return BSONRegularExpression(
            pattern: bytes.text(in: offset..<patternEnd),
            options: bytes.text(in: patternEnd + 1..<optionsEnd)
        )
    }

    private static func dbPointer(_ bytes: RawSpan, _ range: Range<Int>) -> BSONDBPointer {
        BSONDBPointer(
            namespace: string(bytes, at: range.lowerBound),
            id: objectID(bytes, at: range.upperBound - ObjectID.byteCount)
        )
    }

    private static func javascriptWithScope(_ bytes: RawSpan, _ range: Range<Int>) -> BSONJavaScriptWithScope {
        let code = range.lowerBound + 4
        let scope = code + 4 + bytes.length(at: code)
        return BSONJavaScriptWithScope(
            code: string(bytes, at: code),
            scope: BSONDocument(trusted: bytes.copy(of: scope..<range.upperBound))
        )
    }

    private static func timestamp(_ bytes: RawSpan, at offset: Int) -> BSONTimestamp {
        BSONTimestamp(
            seconds: bytes.integer(at: offset + 4, as: UInt32.self),
            increment: bytes.integer(at: offset, as: UInt32.self)
        )
    }

    private static func decimal128(_ bytes: RawSpan, at offset: Int) -> Decimal128 {
        Decimal128(
            low: bytes.integer(at: offset, as: UInt64.self),
            high: bytes.integer(at: offset + 8, as: UInt64.self)
        )
    }
}
