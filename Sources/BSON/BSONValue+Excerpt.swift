/// Large values, shown by their beginning.
extension BSONValue {
    /// The value itself where it is small, otherwise a document that says what it is, and how it begins:
    /// `{"cut": {"type": "string", "bytes": 1048576, "begins": "aaaa"}}`.
    ///
    /// The key has no dollar, because servers before MongoDB 5.0 store none within an update.
    ///
    /// - Parameter maximumBytes: The largest value that is kept as it is, in bytes of BSON.
    public func excerpt(maximumBytes: Int = Self.excerptLimit) -> BSONValue {
        let size = byteCount
        guard size > maximumBytes else { return self }
        let text =
            switch self {
            case .string(let text), .javascript(let text), .symbol(let text): text
            default: "\(BSONDocument([("", self)]).shortened)"
            }
        return [
            "cut": [
                "type": .string("\(type)"), "bytes": .int64(Int64(size)),
                "begins": .string(text.excerpt(maximumCharacters: Self.excerptBeginning)),
            ]
        ]
    }

    /// A value of more bytes is shown by its beginning.
    public static let excerptLimit = 1024
    private static let excerptBeginning = 200
    /// A document's length, an element's type and empty key, and the end.
    private static let wrapperBytes = 7

    /// The bytes of the value alone.
    private var byteCount: Int {
        switch self {
        case .string(let text): text.utf8.count + 5
        case .document(let document): document.byteCount
        default: BSONDocument([("", self)]).byteCount - Self.wrapperBytes
        }
    }
}

extension BSONDocument {
    /// The document with each large value shown by its beginning, for samples.
    public var excerpt: BSONDocument {
        guard byteCount > BSONValue.excerptLimit else { return self }
        return BSONDocument(elements.map { ($0.key.excerpt(maximumCharacters: 200), $0.value.excerpt()) })
    }

    /// The keys at the beginning, which are enough to know a document by.
    fileprivate var shortened: String {
        let inner = elements.first { _ in true }?.value
        let keys = inner?.document?.keys ?? []
        guard !keys.isEmpty else { return "" }
        return keys.prefix(5).map { $0.excerpt(maximumCharacters: 30) }.joined(separator: ", ")
    }
}

extension String {
    /// The text itself where it is short, otherwise its beginning and an ellipsis.
    ///
    /// - Parameter maximumCharacters: So many Unicode scalars are kept.
    public func excerpt(maximumCharacters: Int) -> String {
        // A character may be of any number of scalars.
        guard utf8.count > maximumCharacters else { return self }
        let beginning = unicodeScalars.prefix(maximumCharacters)
        return beginning.endIndex < unicodeScalars.endIndex ? String(beginning) + "…" : self
    }
}
