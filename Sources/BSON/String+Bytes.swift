extension String {
    /// Whether both strings have the same UTF-8 bytes.
    ///
    /// `==` also accepts strings that are only canonically equivalent, which a database tells apart.
    func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}
