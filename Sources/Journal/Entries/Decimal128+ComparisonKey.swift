internal import BSON

extension Decimal128 {
    /// One form for all numbers that are equal to it: an integer or a double where one is.
    var comparisonKey: BSONValue {
        // IEEE 754-2008, 3.5.2: a sign; where the next five bits are 11110 or 11111, no number; else an exponent of 14
        // bits, and the coefficient. Where the next two bits are 11, the coefficient would be too large, and counts as 0.
        let isNegative = high >> 63 == 1
        switch (high >> 58) & 0x1f {
        case 0x1f: return .double(.nan)
        case 0x1e: return .double(isNegative ? -.infinity : .infinity)
        default: break
        }
        guard (high >> 61) & 3 != 3 else { return .int64(0) }
        let coefficient = UInt128(high & 0x1_ffff_ffff_ffff) << 64 | UInt128(low)
        guard coefficient > 0, coefficient < Self.coefficients else { return .int64(0) }
        let exponent = Int((high >> 49) & 0x3fff) - Self.bias
        guard let double = Self.double(coefficient, exponent) else {
            return Self.integer(isNegative, coefficient, exponent) ?? Self.normal(isNegative, coefficient, exponent)
        }
        return BSONValue.double(isNegative ? -double : double).comparisonKey
    }

    /// The first coefficient that is too large.
    private static let coefficients = (0..<34).reduce(into: UInt128(1)) { power, _ in power *= 10 }
    /// What is taken off the exponent as it is stored.
    private static let bias = 6176

    /// The double that equals a number exactly; nil where none does.
    private static func double(_ coefficient: UInt128, _ exponent: Int) -> Double? {
        // Ten to a power is five to it, and two to it, which a double has anyway.
        var odd = coefficient >> coefficient.trailingZeroBitCount
        let binary = coefficient.trailingZeroBitCount + exponent
        for _ in 0..<abs(exponent) {
            if exponent < 0 {
                guard odd % 5 == 0 else { return nil }
                odd /= 5
            } else {
                odd *= 5
                guard odd < 1 << 53 else { return nil }
            }
        }
        return odd < 1 << 53 ? Double(sign: .plus, exponent: binary, significand: Double(odd)) : nil
    }

    /// The integer of 64 bits that equals a number; nil where none does.
    private static func integer(_ isNegative: Bool, _ coefficient: UInt128, _ exponent: Int) -> BSONValue? {
        var rest = coefficient
        for _ in 0..<abs(exponent) {
            if exponent < 0 {
                guard rest % 10 == 0 else { return nil }
                rest /= 10
            } else {
                rest *= 10
                guard rest <= UInt128(Int64.max) else { return nil }
            }
        }
        guard let integer = Int64(exactly: rest) else { return nil }
        return .int64(isNegative ? -integer : integer)
    }

    /// The number with as many digits as there is room for: of those that are equal one.
    private static func normal(_ isNegative: Bool, _ coefficient: UInt128, _ exponent: Int) -> BSONValue {
        var (coefficient, exponent) = (coefficient, exponent)
        while coefficient < coefficients / 10, exponent > -bias {
            coefficient *= 10
            exponent -= 1
        }
        let high = UInt64(truncatingIfNeeded: coefficient >> 64) | UInt64(exponent + bias) << 49
        return .decimal128(
            Decimal128(low: UInt64(truncatingIfNeeded: coefficient), high: high | (isNegative ? 1 << 63 : 0)))
    }
}
