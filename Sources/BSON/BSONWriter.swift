/// Writing of elements in the form of <https://bsonspec.org/spec.html>.
///
/// Broken preconditions end the process with `fatalError`, because `preconditionFailure` drops its sentence from
/// release builds.
enum BSONWriter {
    /// Appends a whole element: type byte, key and value.
    ///
    /// - Precondition: `key` holds no NUL character.
    static func append(_ key: String, _ value: BSONValue, to output: inout [UInt8]) {
        output.append(value.type.rawValue)
        appendCString(key, "A BSON key cannot hold a NUL character.", to: &output)
        append(value, to: &output)
    }

    /// Appends the bytes of a value, without type byte and key.
    static func append(_ value: BSONValue, to output: inout [UInt8]) {
        switch value {
        case .undefined, .null, .minKey, .maxKey: break
        case .double(let number): append(number.bitPattern, to: &output)
        case .string(let text), .javascript(let text), .symbol(let text): append(text, to: &output)
        case .invalidString(let bytes):
            append(length(bytes.count + 1), to: &output)
            output.append(contentsOf: bytes)
            output.append(0)
        case .document(let document): output.append(contentsOf: document.bytes)
        case .array(let array): output.append(contentsOf: array.document.bytes)
        case .binary(let binary): append(binary, to: &output)
        case .objectID(let id): id.appendBytes(to: &output)
        case .bool(let flag): output.append(flag ? 1 : 0)
        case .date(let number), .int64(let number): append(number, to: &output)
        case .regularExpression(let expression): append(expression, to: &output)
        case .dbPointer(let pointer):
            append(pointer.namespace, to: &output)
            pointer.id.appendBytes(to: &output)
        case .javascriptWithScope(let code): append(code, to: &output)
        case .int32(let number): append(number, to: &output)
        case .timestamp(let timestamp):
            append(timestamp.increment, to: &output)
            append(timestamp.seconds, to: &output)
        case .decimal128(let number):
            append(number.low, to: &output)
            append(number.high, to: &output)
        }
    }

    /// Writes the number of bytes of a document into its first four bytes.
    static func patchLength(of document: inout [UInt8]) {
        let length = UInt32(bitPattern: length(document.count))
        for position in 0..<4 {
            document[position] = UInt8(truncatingIfNeeded: length >> UInt32(8 * position))
        }
    }

    private static func length(_ count: Int) -> Int32 {
        guard let length = Int32(exactly: count) else {
            fatalError("A BSON document, string or binary value cannot have more than 2147483647 bytes.")
        }
        return length
    }

    private static func append(_ number: some FixedWidthInteger, to output: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { output.append(contentsOf: $0) }
    }

    private static func append(_ text: String, to output: inout [UInt8]) {
        append(length(text.utf8.count + 1), to: &output)
        output.append(contentsOf: text.utf8)
        output.append(0)
    }

    private static func appendCString(_ text: String, _ failure: StaticString, to output: inout [UInt8]) {
        guard !text.utf8.contains(0) else { fatalError("\(failure)") }
        output.append(contentsOf: text.utf8)
        output.append(0)
    }

    private static func append(_ binary: BSONBinary, to output: inout [UInt8]) {
        let count = binary.bytes.count
        let isOld = binary.subtype == BSONBinary.oldSubtype
        append(length(isOld ? count + 4 : count), to: &output)
        output.append(binary.subtype)
        if isOld { append(length(count), to: &output) }
        output.append(contentsOf: binary.bytes)
    }

    private static func append(_ expression: BSONRegularExpression, to output: inout [UInt8]) {
        appendCString(expression.pattern, "A BSON regular expression cannot hold a NUL character.", to: &output)
        appendCString(expression.options, "The options of a BSON expression cannot hold a NUL character.", to: &output)
    }

    private static func append(_ code: BSONJavaScriptWithScope, to output: inout [UInt8]) {
        append(length(4 + 4 + code.code.utf8.count + 1 + code.scope.byteCount), to: &output)
        append(code.code, to: &output)
        output.append(contentsOf: code.scope.bytes)
    }
}
