/// A small generator of random numbers that gives the same ones for the same seed everywhere
/// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct DemoRandom: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// One of many generators, by its number.
    init(seed: UInt64, _ number: Int) { state = Self.mix(seed &+ UInt64(truncatingIfNeeded: number) &* Self.step) }

    private static let step: UInt64 = 0x9e37_79b9_7f4a_7c15

    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func next() -> UInt64 {
        state &+= Self.step
        return Self.mix(state)
    }

    /// A number from 0 up to but not including another, which is at least 1.
    mutating func below(_ bound: Int) -> Int {
        // The high half of a product is as even as a remainder, and faster.
        Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// A number from 0 up to but not including 1.
    mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Whether something happens so many times in a thousand.
    mutating func happens(_ permille: Int) -> Bool { below(1_000) < permille }
}
