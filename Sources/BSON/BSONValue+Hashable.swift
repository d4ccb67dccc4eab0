extension BSONValue: Hashable {
    /// Whether both values have the same type and, written out, the same bytes.
    public static func == (left: BSONValue, right: BSONValue) -> Bool {
        switch (left, right) {
        case (.double(let one), .double(let other)): one.bitPattern == other.bitPattern
        case (.string(let one), .string(let other)): one.hasSameBytes(as: other)
        case (.invalidString(let one), .invalidString(let other)): one == other
        case (.document(let one), .document(let other)): one == other
        case (.array(let one), .array(let other)): one == other
        case (.binary(let one), .binary(let other)): one == other
        case (.objectID(let one), .objectID(let other)): one == other
        case (.bool(let one), .bool(let other)): one == other
        case (.date(let one), .date(let other)): one == other
        case (.regularExpression(let one), .regularExpression(let other)): one == other
        case (.dbPointer(let one), .dbPointer(let other)): one == other
        case (.javascript(let one), .javascript(let other)): one.hasSameBytes(as: other)
        case (.symbol(let one), .symbol(let other)): one.hasSameBytes(as: other)
        case (.javascriptWithScope(let one), .javascriptWithScope(let other)): one == other
        case (.int32(let one), .int32(let other)): one == other
        case (.timestamp(let one), .timestamp(let other)): one == other
        case (.int64(let one), .int64(let other)): one == other
        case (.decimal128(let one), .decimal128(let other)): one == other
        case (.undefined, .undefined), (.null, .null), (.minKey, .minKey), (.maxKey, .maxKey): true
        default: false
        }
    }

    /// Feeds the type and the payload to `hasher`.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(type.rawValue)
        switch self {
        case .double(let number): hasher.combine(number.bitPattern)
        case .string(let text), .javascript(let text), .symbol(let text): hasher.combine(text)
        case .invalidString(let bytes): hasher.combine(bytes)
        case .document(let document): hasher.combine(document)
        case .array(let array): hasher.combine(array)
        case .binary(let binary): hasher.combine(binary)
        case .objectID(let id): hasher.combine(id)
        case .bool(let flag): hasher.combine(flag)
        case .date(let number), .int64(let number): hasher.combine(number)
        case .regularExpression(let expression): hasher.combine(expression)
        case .dbPointer(let pointer): hasher.combine(pointer)
        case .javascriptWithScope(let code): hasher.combine(code)
        case .int32(let number): hasher.combine(number)
        case .timestamp(let timestamp): hasher.combine(timestamp)
        case .decimal128(let number): hasher.combine(number)
        case .undefined, .null, .minKey, .maxKey: break
        }
    }
}
