/// A small generator of random numbers that gives the same numbers for the same seed everywhere
/// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Begins with a seed.
    package init(seed: UInt64) { state = seed }

    /// The next number.
    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number of a range, without the standard library's own method, which may change with its version.
    package mutating func number(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    /// A number from 0 up to but not including 1.
    package mutating func fraction() -> Double { Double(next() >> 11) / Double(1 << 53) }

    /// Whether something happens that does so with a probability.
    package mutating func happens(_ probability: Double) -> Bool { fraction() < probability }

    /// One of several values, of which there must be at least one.
    package mutating func pick<T>(_ values: [T]) -> T { values[number(0...values.count - 1)] }

    /// The values in another order.
    package mutating func shuffled<T>(_ values: [T]) -> [T] {
        var values = values
        for index in values.indices.dropFirst().reversed() { values.swapAt(index, number(0...index)) }
        return values
    }
}
