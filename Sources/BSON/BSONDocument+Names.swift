extension BSONDocument {
    /// Whether a name stands twice in it, or in a document within it: drivers in C, Go or Java can write that.
    package var repeatsNames: Bool {
        let names = keys
        return Set(names).count != names.count || elements.contains { $0.value.repeatsNames }
    }
}

extension BSONValue {
    fileprivate var repeatsNames: Bool {
        switch self {
        case .document(let document): document.repeatsNames
        case .array(let array): array.values.contains { $0.repeatsNames }
        default: false
        }
    }
}
