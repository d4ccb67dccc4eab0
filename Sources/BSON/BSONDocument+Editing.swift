extension BSONDocument {
    /// Adds an element at the end, whether or not there is one with the same key.
    ///
    /// - Parameters:
    ///   - key: The key. It may be empty.
    ///   - value: The value.
    /// - Precondition: `key` holds no NUL character, which ends a key in BSON (<https://bsonspec.org/spec.html>),
    ///   nor does a regular expression in `value`; and the document stays below 2 GiB.
    public mutating func append(_ key: String, _ value: BSONValue) {
        appendElements { BSONWriter.append(key, value, to: &$0) }
    }

    /// Adds an element of another document at the end, byte by byte.
    ///
    /// - Precondition: The document stays below 2 GiB.
    public mutating func append(raw element: BSONRawElement) {
        appendElements { $0.append(contentsOf: element.bytes) }
    }

    /// This document with another value for a key, like setting it with the subscript.
    ///
    /// - Precondition: `key` holds no NUL character.
    public func replacing(_ key: String, with value: BSONValue) -> BSONDocument {
        var result = self
        result.replace(key, with: value)
        return result
    }

    /// This document without any element with this key. Every other byte is kept.
    public func removing(_ key: String) -> BSONDocument {
        var result = self
        result.remove(key)
        return result
    }

    /// Replaces the value of the first element with this key, or appends one.
    mutating func replace(_ key: String, with value: BSONValue) {
        guard let old = location(of: key) else {
            append(key, value)
            return
        }
        var element: [UInt8] = []
        BSONWriter.append(key, value, to: &element)
        replaceElements(old.start..<old.end, with: element)
    }

    /// Removes every element with this key, in one pass.
    mutating func remove(_ key: String) {
        guard location(of: key) != nil else { return }
        let original = self
        self = BSONDocument()
        appendElements { output in
            for element in original.rawElements where !element.hasKey(key) {
                output.append(contentsOf: element.bytes)
            }
        }
    }
}
