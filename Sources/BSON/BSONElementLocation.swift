/// Where one element lies within the bytes of a document. All offsets count from the start of those bytes.
struct BSONElementLocation {
    /// The offset of the type byte.
    let start: Int
    /// The offset of the NUL byte behind the key.
    let keyEnd: Int
    /// The offset behind the value, where the next element or the terminator is.
    let end: Int
    /// The type of the value.
    let type: BSONType

    /// The bytes of the key, without its NUL byte.
    var key: Range<Int> { start + 1..<keyEnd }

    /// The bytes of the value.
    var value: Range<Int> { keyEnd + 1..<end }
}
