import BSON
import TestSupport
import Testing

@testable import Journal

/// What the key calls equal is what the server does.
@Suite("Comparison keys")
struct ComparisonKeyTests {
    /// A decimal number, by its coefficient and exponent.
    private static func decimal(_ coefficient: UInt128, _ exponent: Int, isNegative: Bool = false) -> BSONValue {
        let high = UInt64(coefficient >> 64) | UInt64(exponent + 6176) << 49 | (isNegative ? 1 << 63 : 0)
        return .decimal128(Decimal128(low: UInt64(truncatingIfNeeded: coefficient), high: high))
    }

    private static let ten34: UInt128 = 10_000_000_000_000_000_000_000_000_000_000_000

    /// Values, of which some are equal.
    private static let values: [BSONValue] = [
        0, .int64(0), .double(0), .double(-0.0), decimal(0, 0), decimal(0, 6111, isNegative: true), decimal(0, -6176),
        // No number has such a coefficient: it is 0.
        decimal(ten34, 0), .decimal128(Decimal128(low: 1, high: 0x6c10_0000_0000_0000)),
        1, .double(1), decimal(1, 0), decimal(100, -2), decimal(1, 0, isNegative: true), -1,
        .double(0.1), decimal(1, -1), decimal(1_000_000_000_000_000_055_511_151_231_257_827, -34),
        .double(0.5), decimal(5, -1), decimal(500, -3), .double(0.75), decimal(75, -2),
        .int64(.max), decimal(UInt128(Int64.max), 0), .double(9_223_372_036_854_775_808),
        decimal(9_223_372_036_854_775_808, 0), decimal(9_223_372_036_854_775_808, 0, isNegative: true), .int64(.min),
        .int64(9_007_199_254_740_993), decimal(9_007_199_254_740_993, 0), .double(9_007_199_254_740_992),
        decimal(90_071_992_547_409_920, -1),
        .double(1e22), decimal(1, 22), .double(1e23), decimal(1, 23), decimal(99_999_999_999_999_991_611_392, 0),
        .double(0x1p100), decimal(1_267_650_600_228_229_401_496_703_205_376, 0), .double(0x1p-40),
        decimal(9_094_947_017_729_282_379_150_390_625, -40), .double(0x1p-60), decimal(1, 6000), decimal(10, 5999),
        decimal(ten34 / 10, 5967), decimal(ten34 - 1, 6111), decimal(1, -6176), decimal(10, -6176),
        .double(.nan), .double(-.nan), .decimal128(Decimal128(low: 0, high: 0x7c00_0000_0000_0000)),
        .decimal128(Decimal128(low: 7, high: 0xfe00_0000_0000_0000)), .double(.infinity), .double(-.infinity),
        .decimal128(Decimal128(low: 0, high: 0x7800_0000_0000_0000)),
        .decimal128(Decimal128(low: 0, high: 0xf800_0000_0000_0000)),
        "a", .symbol("a"), ["a": 1], .document(["a": decimal(10, -1)]), .document(["b": 1]), true, .date(0), .null,
    ]

    @Test(
        "are the same for values of which the server lets only one be an _id",
        arguments: [ServerVersion.standard, .mongo44])
    func equal(version: ServerVersion) async throws {
        guard version == .standard || ServerVersion.canRunOthers else { return }
        try await withDatabase(on: .standalone, version: version) { database in
            for (number, value) in Self.values.enumerated() {
                let name = "c\(number)"
                try await database.load(name, [["_id": value]])
                for other in Self.values {
                    let found = try await database.find(name, ["_id": ["$eq": other]])
                    #expect((found.count == 1) == (value.comparisonKey == other.comparisonKey), "\(value) \(other)")
                }
            }
        }
    }
}
