/// A 12-byte object identifier.
///
/// The layout is 4 bytes of seconds since 1970, 5 bytes that identify the process and a 3-byte counter, all
/// big-endian (<https://bsonspec.org/spec.html>, and the ObjectID specification it refers to). Identifiers compare
/// like their bytes, so they sort by their timestamp first.
public struct ObjectID: Hashable, Comparable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    /// The identifier of 12 zero bytes, which sorts before every other.
    public static let min = ObjectID(high: 0, low: 0)

    /// The identifier of 12 `0xff` bytes, which sorts after every other.
    public static let max = ObjectID(high: .max, low: .max)

    /// The number of bytes in an identifier.
    static let byteCount = 12

    /// The first eight bytes as a big-endian number.
    private let high: UInt64
    /// The last four bytes as a big-endian number.
    private let low: UInt32

    /// Makes an identifier of its two big-endian halves: the first eight and the last four bytes.
    init(high: UInt64, low: UInt32) {
        self.high = high
        self.low = low
    }

    /// Makes an identifier of its bytes.
    ///
    /// - Parameter bytes: Exactly 12 bytes; with any other number the result is nil.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var high: UInt64 = 0
        var low: UInt32 = 0
        for (position, byte) in bytes.enumerated() {
            if position < 8 {
                high = high << 8 | UInt64(byte)
            } else {
                low = low << 8 | UInt32(byte)
            }
        }
        self.init(high: high, low: low)
    }

    /// The identifier that sorts before every other one of its second.
    ///
    /// - Parameter timestamp: Seconds since 1970-01-01T00:00:00Z.
    public static func smallest(at timestamp: UInt32) -> ObjectID { ObjectID(high: UInt64(timestamp) << 32, low: 0) }

    /// Makes an identifier of its hexadecimal form.
    ///
    /// - Parameter hex: Exactly 24 ASCII hexadecimal digits in either case; with anything else the result is nil.
    public init?(hex: some StringProtocol) {
        var digits: [UInt8] = []
        digits.reserveCapacity(2 * Self.byteCount)
        for character in hex.utf8 {
            guard digits.count < 2 * Self.byteCount, let digit = Hexadecimal.value(of: character) else { return nil }
            digits.append(digit)
        }
        guard digits.count == 2 * Self.byteCount else { return nil }
        self.init(bytes: stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
    }

    /// Makes an identifier of its hexadecimal form, like ``init(hex:)``.
    ///
    /// - Parameter description: Exactly 24 ASCII hexadecimal digits in either case.
    public init?(_ description: String) {
        self.init(hex: description)
    }

    /// The seconds since 1970-01-01T00:00:00Z in the first four bytes.
    public var timestamp: UInt32 {
        UInt32(truncatingIfNeeded: high >> 32)
    }

    /// The 12 bytes, in order.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Self.byteCount)
        appendBytes(to: &result)
        return result
    }

    /// The identifier that is so many further, counting by the last four bytes.
    ///
    /// - Returns: nil where those don't hold the number.
    package func advanced(by count: Int) -> ObjectID? {
        guard let low = UInt32(exactly: Int(low) + count) else { return nil }
        return ObjectID(high: high, low: low)
    }

    /// How many further another identifier is, counting by the last four bytes; nil where the others differ.
    package func distance(to other: ObjectID) -> Int? {
        high == other.high ? Int(other.low) - Int(low) : nil
    }

    /// The 24 hexadecimal digits in lower case.
    public var hex: String {
        Hexadecimal.string(of: bytes)
    }

    /// The 24 hexadecimal digits in lower case, the same as ``hex``.
    public var description: String {
        hex
    }

    /// Orders identifiers by their bytes.
    public static func < (left: ObjectID, right: ObjectID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    /// Appends the 12 bytes to `output`.
    func appendBytes(to output: inout [UInt8]) {
        withUnsafeBytes(of: high.bigEndian) { output.append(contentsOf: $0) }
        withUnsafeBytes(of: low.bigEndian) { output.append(contentsOf: $0) }
    }
}
