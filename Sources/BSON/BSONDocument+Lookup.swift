extension BSONDocument {
    /// The value of the first element with this key.
    ///
    /// Setting a value replaces the first element with this key where it is, and keeps every other byte; without
    /// such an element it is appended. Setting nil removes every element with this key, so that none is read
    /// afterwards.
    ///
    /// Reading takes time proportional to the number of elements in front of the one that is found, and makes no
    /// string of their keys.
    ///
    /// - Precondition: A key that is set holds no NUL character.
    public subscript(key: String) -> BSONValue? {
        get {
            guard let element = location(of: key) else { return nil }
            return BSONReader.value(bytes.span.bytes, element)
        }
        set {
            if let newValue {
                replace(key, with: newValue)
            } else {
                remove(key)
            }
        }
    }

    /// The value at the end of a path of keys, each of which but the last must hold a document.
    ///
    /// The documents on the way are not copied. Arrays are not descended into.
    ///
    /// - Parameter path: The keys from the outermost document on. Without any, the result is nil.
    public func value(at path: String...) -> BSONValue? {
        let storage = bytes
        var document = 0
        for (position, key) in path.enumerated() {
            guard let element = Self.location(of: key, storage, document: document) else { return nil }
            if position == path.count - 1 {
                return BSONReader.value(storage.span.bytes, element)
            }
            guard element.type == .document else { return nil }
            document = element.value.lowerBound
        }
        return nil
    }

    /// Where the first element with this key is, or nil.
    func location(of key: String) -> BSONElementLocation? {
        Self.location(of: key, bytes, document: 0)
    }

    @inline(__always)
    private static func location(of key: String, _ storage: [UInt8], document: Int) -> BSONElementLocation? {
        var key = key
        return key.withUTF8 { BSONReader.find($0, storage.span.bytes, document: document) }
    }
}
