/// An element as the bytes it consists of: type byte, key with its NUL byte, value.
///
/// It shares the bytes of the document it comes from, and keeps them alive.
public struct BSONRawElement: Hashable, Sendable {
    /// The whole element. The indices are those of the document's bytes.
    public let bytes: ArraySlice<UInt8>

    /// The type of the value.
    public let type: BSONType

    /// The number of bytes of the key, without its NUL byte.
    private let keySize: Int

    init(_ storage: [UInt8], _ location: BSONElementLocation) {
        bytes = storage[location.start..<location.end]
        type = location.type
        keySize = location.key.count
    }

    /// The key. Bytes that are not valid UTF-8 are repaired; ``bytes`` has them as they are.
    public var key: String {
        bytes.span.bytes.text(in: 1..<1 + keySize)
    }

    /// Whether the key has the UTF-8 bytes of `other`.
    func hasKey(_ other: String) -> Bool {
        other.utf8.elementsEqual(bytes.dropFirst().prefix(keySize))
    }

    /// The value, decoded at each access.
    public var value: BSONValue {
        let location = BSONElementLocation(start: 0, keyEnd: 1 + keySize, end: bytes.count, type: type)
        return BSONReader.value(bytes.span.bytes, location)
    }
}
