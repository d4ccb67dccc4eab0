extension BSONArray: RandomAccessCollection {
    /// The position of the first value, 0.
    public var startIndex: Int { 0 }

    /// The position behind the last value, the same as ``count``.
    public var endIndex: Int { count }

    /// The value at `position`, decoded at each access.
    ///
    /// - Precondition: `position` is at least 0 and below ``count``.
    public subscript(position: Int) -> BSONValue {
        value(at: position)
    }
}

extension BSONArray: ExpressibleByArrayLiteral {
    /// Makes an array of the values of a literal.
    public init(arrayLiteral elements: BSONValue...) {
        self.init(elements)
    }
}

extension BSONArray: Hashable {
    /// Whether both arrays are stored with the same bytes.
    public static func == (left: BSONArray, right: BSONArray) -> Bool {
        left.document == right.document
    }

    /// Feeds the bytes to `hasher`.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(document)
    }
}

extension BSONArray: CustomStringConvertible, CustomDebugStringConvertible {
    /// The number of values and of bytes; none of the values, so it may be logged.
    public var description: String {
        "BSONArray(\(document.byteCount) bytes, \(count) values)"
    }

    /// Everything, in a notation close to Extended JSON. Not for logs.
    public var debugDescription: String {
        BSONValue.array(self).debugDescription
    }
}
