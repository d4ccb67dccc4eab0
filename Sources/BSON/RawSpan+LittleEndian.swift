/// Numbers of BSON: all are little-endian (<https://bsonspec.org/spec.html>). Every access is checked by the span.
extension RawSpan {
    /// The byte at `offset`.
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// The integer that begins at `offset`.
    @inline(__always)
    func integer<Integer: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Integer.Type) -> Integer {
        Integer(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: type))
    }

    /// The signed 32-bit length that begins at `offset`.
    @inline(__always)
    func length(at offset: Int) -> Int {
        Int(integer(at: offset, as: Int32.self))
    }

    /// The offset of the first NUL byte at or after `offset` and before `limit`, or nil when there is none.
    ///
    /// It looks at eight bytes at a time: subtracting 1 from each byte of a word sets the high bit of a byte that
    /// had none only where the byte was 0, and the lowest such bit is never a false one.
    @inline(__always)
    func firstNUL(from offset: Int, before limit: Int) -> Int? {
        var position = offset
        while position <= limit - 8 {
            let word = integer(at: position, as: UInt64.self)
            let zeros = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
            if zeros != 0 { return position + zeros.trailingZeroBitCount / 8 }
            position += 8
        }
        while position < limit {
            if byte(at: position) == 0 { return position }
            position += 1
        }
        return nil
    }

    /// The bytes of `range` as text; what is not valid UTF-8 becomes U+FFFD.
    func text(in range: Range<Int>) -> String {
        extracting(range).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// A copy of the bytes of `range`.
    func copy(of range: Range<Int>) -> [UInt8] {
        extracting(range).withUnsafeBytes { [UInt8]($0) }
    }
}
