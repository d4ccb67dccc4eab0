import BSON

/// Damages documents, the same way for the same seed.
struct Mutator {
    private var generator: SeededGenerator

    /// Lengths that trip careless readers.
    private static let hostileLengths: [UInt32] = [0, 1, 4, 5, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    /// One of the samples, with one kind of damage, or up to four.
    mutating func next(of samples: [[UInt8]]) -> [UInt8] {
        var bytes = samples[below(samples.count)]
        for _ in 0...(below(2) * below(4)) where !bytes.isEmpty {
            damage(&bytes, other: samples[below(samples.count)])
        }
        if below(2) == 0 {
            write(UInt32(bytes.count), at: 0, in: &bytes)
        }
        return bytes
    }

    private mutating func damage(_ bytes: inout [UInt8], other: [UInt8]) {
        let position = below(bytes.count)
        switch below(9) {
        case 0, 7: bytes[position] ^= 1 << UInt8(below(8))
        case 1, 8: bytes[position] = UInt8(below(256))
        case 2: write(Self.hostileLengths[below(Self.hostileLengths.count)], at: position, in: &bytes)
        case 3: write(UInt32(below(bytes.count + 8)), at: position, in: &bytes)
        case 4: bytes.removeLast(below(bytes.count))
        case 5: bytes.removeSubrange(position..<min(bytes.count, position + 1 + below(16)))
        default: splice(&bytes, other, at: position)
        }
    }

    /// Puts a piece of another document in, over or between the bytes.
    private mutating func splice(_ bytes: inout [UInt8], _ other: [UInt8], at position: Int) {
        let start = below(other.count)
        let piece = other[start..<min(other.count, start + 1 + below(64))]
        let end = below(2) == 0 ? position : min(bytes.count, position + piece.count)
        bytes.replaceSubrange(position..<end, with: piece)
    }

    private func write(_ number: UInt32, at position: Int, in bytes: inout [UInt8]) {
        for (shift, index) in (position..<min(bytes.count, position + 4)).enumerated() {
            bytes[index] = UInt8(truncatingIfNeeded: number >> UInt32(8 * shift))
        }
    }

    private mutating func below(_ bound: Int) -> Int {
        Int.random(in: 0..<bound, using: &generator)
    }
}
