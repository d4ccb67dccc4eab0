extension BSONDocument: CustomStringConvertible, CustomDebugStringConvertible {
    /// How many keys ``description`` shows at most.
    private static let describedKeys = 20

    /// The number of bytes and the first top-level keys; none of the values, so it may be logged.
    public var description: String {
        let keys = keys
        var shown = keys.prefix(Self.describedKeys).map { BSONDebugPrinter.quoted($0) }
        if keys.count > shown.count {
            shown.append("and \(keys.count - shown.count) more")
        }
        return "BSONDocument(\(byteCount) bytes, keys: [\(shown.joined(separator: ", "))])"
    }

    /// Everything, in a notation close to Extended JSON. Not for logs.
    public var debugDescription: String {
        BSONValue.document(self).debugDescription
    }
}

extension BSONValue: CustomDebugStringConvertible {
    /// The value in a notation close to Extended JSON. Not for logs.
    public var debugDescription: String {
        var printer = BSONDebugPrinter()
        printer.print(self, depth: 0)
        return printer.output
    }
}
