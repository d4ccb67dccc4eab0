extension BSONDocument: Hashable {
    /// Whether both documents have the same bytes.
    public static func == (left: BSONDocument, right: BSONDocument) -> Bool {
        left.bytes == right.bytes
    }

    /// Feeds the bytes to `hasher`.
    public func hash(into hasher: inout Hasher) {
        withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

extension BSONDocument: ExpressibleByDictionaryLiteral {
    /// Makes a document with the elements in the order of the literal; equal keys are all kept.
    ///
    /// - Precondition: No key holds a NUL character.
    public init(dictionaryLiteral elements: (String, BSONValue)...) {
        self.init(elements)
    }
}
