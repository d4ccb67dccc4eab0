/// A key with its value.
public struct BSONElement: Hashable, Sendable {
    /// The key. Bytes that are not valid UTF-8 were repaired.
    public var key: String

    /// The value.
    public var value: BSONValue

    /// Makes an element.
    public init(key: String, value: BSONValue) {
        self.key = key
        self.value = value
    }

    /// Whether both have the same key, byte by byte, and the same value.
    public static func == (left: BSONElement, right: BSONElement) -> Bool {
        left.key.hasSameBytes(as: right.key) && left.value == right.value
    }
}
