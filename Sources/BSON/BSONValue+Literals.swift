extension BSONValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    /// Makes a ``string(_:)``.
    public init(stringLiteral value: String) {
        self = .string(value)
    }
}

extension BSONValue: ExpressibleByIntegerLiteral {
    /// Makes an ``int32(_:)`` when the literal fits, otherwise an ``int64(_:)``.
    public init(integerLiteral value: Int64) {
        if let narrow = Int32(exactly: value) {
            self = .int32(narrow)
        } else {
            self = .int64(value)
        }
    }
}

extension BSONValue: ExpressibleByFloatLiteral {
    /// Makes a ``double(_:)``.
    public init(floatLiteral value: Double) {
        self = .double(value)
    }
}

extension BSONValue: ExpressibleByBooleanLiteral {
    /// Makes a ``bool(_:)``.
    public init(booleanLiteral value: Bool) {
        self = .bool(value)
    }
}

extension BSONValue: ExpressibleByNilLiteral {
    /// Makes a ``null``.
    ///
    /// Where an optional value is wanted, as in `document["key"] = nil`, `nil` means no value instead.
    public init(nilLiteral: ()) {
        self = .null
    }
}

extension BSONValue: ExpressibleByArrayLiteral {
    /// Makes an ``array(_:)``.
    public init(arrayLiteral elements: BSONValue...) {
        self = .array(BSONArray(elements))
    }
}

extension BSONValue: ExpressibleByDictionaryLiteral {
    /// Makes a ``document(_:)`` with the elements in the order of the literal; equal keys are all kept.
    ///
    /// - Precondition: No key holds a NUL character.
    public init(dictionaryLiteral elements: (String, BSONValue)...) {
        self = .document(BSONDocument(elements))
    }
}
