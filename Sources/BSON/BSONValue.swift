/// One BSON value: what an element holds besides its key.
///
/// Equality is exact: the width of integers matters, doubles compare by their bits (so a NaN equals itself and
/// 0.0 differs from -0.0), and strings compare by their UTF-8 bytes.
public enum BSONValue: Sendable {
    /// A 64-bit floating-point number.
    case double(Double)
    /// A string.
    case string(String)
    /// A string whose bytes are not valid UTF-8, as a careless writer leaves them; it is compared and written as it is.
    case invalidString([UInt8])
    /// An embedded document.
    case document(BSONDocument)
    /// An array.
    case array(BSONArray)
    /// Binary data with a subtype.
    case binary(BSONBinary)
    /// The deprecated undefined value.
    case undefined
    /// An object identifier.
    case objectID(ObjectID)
    /// A truth value.
    case bool(Bool)
    /// A point in time in milliseconds since 1970-01-01T00:00:00Z, negative before that.
    case date(Int64)
    /// The null value.
    case null
    /// A regular expression.
    case regularExpression(BSONRegularExpression)
    /// The deprecated pointer to a document.
    case dbPointer(BSONDBPointer)
    /// JavaScript code.
    case javascript(String)
    /// The deprecated symbol.
    case symbol(String)
    /// The deprecated JavaScript code with a scope.
    case javascriptWithScope(BSONJavaScriptWithScope)
    /// A signed 32-bit integer.
    case int32(Int32)
    /// The server's internal timestamp.
    case timestamp(BSONTimestamp)
    /// A signed 64-bit integer.
    case int64(Int64)
    /// A 128-bit decimal number.
    case decimal128(Decimal128)
    /// The value that sorts before every other.
    case minKey
    /// The value that sorts after every other.
    case maxKey

    /// The type of the value.
    public var type: BSONType {
        switch self {
        case .double: .double
        case .string, .invalidString: .string
        case .document: .document
        case .array: .array
        case .binary: .binary
        case .undefined: .undefined
        case .objectID: .objectID
        case .bool: .bool
        case .date: .date
        case .null: .null
        case .regularExpression: .regularExpression
        case .dbPointer: .dbPointer
        case .javascript: .javascript
        case .symbol: .symbol
        case .javascriptWithScope: .javascriptWithScope
        case .int32: .int32
        case .timestamp: .timestamp
        case .int64: .int64
        case .decimal128: .decimal128
        case .minKey: .minKey
        case .maxKey: .maxKey
        }
    }
}
