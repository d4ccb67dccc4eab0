package import BSON

extension BSONValue {
    /// One form for all values that the server takes for equal, for looking up what it has grouped: `1`, `1.0`,
    /// `NumberLong(1)` and `NumberDecimal("1")` are one `_id`, and one key of a `$group`
    /// (https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/). Numbers are equal exactly, not nearly:
    /// the double 0.1 isn't the decimal 0.1.
    package var comparisonKey: BSONValue {
        switch self {
        case .int32(let number): .int64(Int64(number))
        case .double(let number): number.isNaN ? .double(.nan) : Int64(exactly: number).map { .int64($0) } ?? self
        case .decimal128(let number): number.comparisonKey
        case .symbol(let text): .string(text)
        case .document(let document): .document(document.comparisonKey)
        case .array(let array): .array(BSONArray(array.values.map(\.comparisonKey)))
        default: self
        }
    }
}

extension BSONDocument {
    /// The document with the ``BSONValue/comparisonKey`` of each of its values.
    package var comparisonKey: BSONDocument { BSONDocument(elements.map { ($0.key, $0.value.comparisonKey) }) }
}
