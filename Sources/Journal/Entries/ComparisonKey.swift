package import BSON

extension BSONValue {
    /// One form for all values that the server takes for equal, for looking up what it has grouped: `1`, `1.0` and
    /// `NumberLong(1)` are one `_id`, and one key of a `$group`
    /// (https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/).
    ///
    /// It is nil where a decimal is in it, whose equals this tool doesn't work out.
    package var comparisonKey: BSONValue? {
        switch self {
        case .int32(let number): return .int64(Int64(number))
        case .double(let number):
            return number.isNaN ? .double(.nan) : Int64(exactly: number).map { .int64($0) } ?? self
        case .decimal128: return nil
        case .symbol(let text): return .string(text)
        case .document(let document):
            var keys: BSONDocument = [:]
            for element in document.elements {
                guard let key = element.value.comparisonKey else { return nil }
                keys.append(element.key, key)
            }
            return .document(keys)
        case .array(let array):
            let keys = array.values.compactMap(\.comparisonKey)
            return keys.count == array.count ? .array(BSONArray(keys)) : nil
        default: return self
        }
    }
}
