/// The bytes of pairs of hexadecimal digits; spaces do not matter.
func hex(_ text: String) -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// A document's bytes of the bytes of its elements.
func documentBytes(_ elements: [UInt8]) -> [UInt8] {
    let size = UInt32(elements.count + 5)
    return (0..<4).map { UInt8(truncatingIfNeeded: size >> (8 * $0)) } + elements + [0]
}
