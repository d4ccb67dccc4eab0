/// The type of one BSON element: the byte that opens it.
///
/// The raw values are the type bytes of <https://bsonspec.org/spec.html>. ``undefined``, ``dbPointer`` and
/// ``symbol`` are deprecated there, but databases still hold them, so they are read and written like the others.
public enum BSONType: UInt8, Hashable, CaseIterable, Sendable {
    /// A 64-bit IEEE 754 floating-point number.
    case double = 1
    /// A UTF-8 string.
    case string = 2
    /// An embedded document.
    case document = 3
    /// An array, stored as a document with the keys "0", "1" and so on.
    case array = 4
    /// Binary data with a subtype.
    case binary = 5
    /// The deprecated undefined value.
    case undefined = 6
    /// A 12-byte object identifier.
    case objectID = 7
    /// A truth value.
    case bool = 8
    /// A point in time in milliseconds since 1970-01-01T00:00:00Z.
    case date = 9
    /// The null value.
    case null = 10
    /// A regular expression: pattern and options.
    case regularExpression = 11
    /// The deprecated pointer to a document of another collection.
    case dbPointer = 12
    /// JavaScript code without a scope.
    case javascript = 13
    /// The deprecated symbol, stored like a string.
    case symbol = 14
    /// The deprecated JavaScript code with a scope document.
    case javascriptWithScope = 15
    /// A signed 32-bit integer.
    case int32 = 16
    /// The server's internal timestamp: seconds and an increment.
    case timestamp = 17
    /// A signed 64-bit integer.
    case int64 = 18
    /// A 128-bit IEEE 754-2008 decimal floating-point number.
    case decimal128 = 19
    /// The value that sorts before every other.
    case minKey = 255
    /// The value that sorts after every other.
    case maxKey = 127

    /// The name the server's `$type` operator uses for this type, for example "objectId" or "binData".
    public var alias: String {
        switch self {
        case .double: "double"
        case .string: "string"
        case .document: "object"
        case .array: "array"
        case .binary: "binData"
        case .undefined: "undefined"
        case .objectID: "objectId"
        case .bool: "bool"
        case .date: "date"
        case .null: "null"
        case .regularExpression: "regex"
        case .dbPointer: "dbPointer"
        case .javascript: "javascript"
        case .symbol: "symbol"
        case .javascriptWithScope: "javascriptWithScope"
        case .int32: "int"
        case .timestamp: "timestamp"
        case .int64: "long"
        case .decimal128: "decimal"
        case .minKey: "minKey"
        case .maxKey: "maxKey"
        }
    }

    /// The type with this alias, or nil.
    public init?(alias: String) {
        guard let type = Self.allCases.first(where: { $0.alias == alias }) else { return nil }
        self = type
    }
}
