internal import BSON

extension BSONValue {
    /// Whether it stands before another value in an order that is the same for the same values, whoever looks: by type, and
    /// within a type as people would sort. It is the server's order of `_id`s where all are ObjectIds, or all text.
    func precedes(_ other: BSONValue) -> Bool {
        switch (self, other) {
        case (.objectID(let first), .objectID(let second)): return first < second
        case (.date(let first), .date(let second)): return first < second
        default: break
        }
        if let first = number, let second = other.number, first != second { return first < second }
        if let first = textBytes, let second = other.textBytes { return first.lexicographicallyPrecedes(second) }
        guard rank == other.rank else { return rank < other.rank }
        let wrapped: (BSONDocument, BSONDocument) = (["": self], ["": other])
        return wrapped.0.bytes.lexicographicallyPrecedes(wrapped.1.bytes)
    }

    private var number: Double? {
        switch self {
        case .int32(let value): Double(value)
        case .int64(let value): Double(value)
        case .double(let value): value.isNaN ? nil : value
        default: nil
        }
    }

    /// Numbers together, then the types by their codes.
    private var rank: Int { number == nil ? Int(type.rawValue) + 1 : 0 }
}
