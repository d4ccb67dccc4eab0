/// Typed views: each is nil when the value is of another type. None converts, except ``integer`` and ``number``.
extension BSONValue {
    /// The text of a ``string(_:)``.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The bytes of a string, valid UTF-8 or not.
    public var textBytes: [UInt8]? {
        switch self {
        case .string(let text): Array(text.utf8)
        case .invalidString(let bytes): bytes
        default: nil
        }
    }

    /// The truth value of a ``bool(_:)``.
    public var bool: Bool? {
        if case .bool(let flag) = self { flag } else { nil }
    }

    /// The identifier of an ``objectID(_:)``.
    public var objectID: ObjectID? {
        if case .objectID(let id) = self { id } else { nil }
    }

    /// The document of a ``document(_:)``; an array is none.
    public var document: BSONDocument? {
        if case .document(let document) = self { document } else { nil }
    }

    /// The array of an ``array(_:)``.
    public var array: BSONArray? {
        if case .array(let array) = self { array } else { nil }
    }

    /// The milliseconds since 1970-01-01T00:00:00Z of a ``date(_:)``.
    public var date: Int64? {
        if case .date(let milliseconds) = self { milliseconds } else { nil }
    }

    /// The number of an ``int32(_:)``.
    public var int32: Int32? {
        if case .int32(let number) = self { number } else { nil }
    }

    /// The number of an ``int64(_:)``.
    public var int64: Int64? {
        if case .int64(let number) = self { number } else { nil }
    }

    /// The data of a ``binary(_:)``.
    public var binary: BSONBinary? {
        if case .binary(let binary) = self { binary } else { nil }
    }

    /// The number of an ``int32(_:)`` or an ``int64(_:)``.
    public var integer: Int64? {
        switch self {
        case .int32(let number): Int64(number)
        case .int64(let number): number
        default: nil
        }
    }

    /// The number of an ``int32(_:)``, an ``int64(_:)`` or a ``double(_:)``.
    ///
    /// A 64-bit integer beyond 2⁵³ is rounded to the nearest double.
    public var number: Double? {
        switch self {
        case .int32(let number): Double(number)
        case .int64(let number): Double(number)
        case .double(let number): number
        default: nil
        }
    }

    /// Whether the value is ``null``; ``undefined`` is not.
    public var isNull: Bool {
        if case .null = self { true } else { false }
    }
}
