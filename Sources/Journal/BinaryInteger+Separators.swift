extension BinaryInteger {
    /// The number as people read it: `300,000`.
    package var withSeparators: String {
        let digits = Array("\(magnitude)")
        let groups = stride(from: digits.count, to: 0, by: -3).map { end in String(digits[max(0, end - 3)..<end]) }
        return (self < 0 ? "-" : "") + groups.reversed().joined(separator: ",")
    }
}
