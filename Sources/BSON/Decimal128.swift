/// A 128-bit decimal floating-point number, as the 128 bits of its IEEE 754-2008 BID encoding.
///
/// Nothing is computed with it here: the bits are kept as they are. Equality is equality of the bits, so 1.0 and
/// 1.00 differ. The low half is stored first, both little-endian (<https://bsonspec.org/spec.html>).
public struct Decimal128: Hashable, Sendable {
    /// The low 64 bits.
    public var low: UInt64

    /// The high 64 bits, which begin with the sign.
    public var high: UInt64

    /// Makes a number of the two halves of its encoding.
    public init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }
}
