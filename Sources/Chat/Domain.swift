/// Names of hosts as email addresses may have them.
enum Domain {
    /// RFC 1035, 2.3.4, without the final dot.
    static let longest = 253
    /// RFC 1035, 2.3.1.
    private static let longestLabel = 63

    /// Why a part between dots can't be used, or nil.
    static func objection(toLabel label: ArraySlice<Unicode.Scalar>) -> String? {
        guard label.first != "-", label.last != "-" else { return "has a hyphen beside a dot or the @" }
        if label.count > 3, label.dropFirst(2).prefix(2).allSatisfy({ $0 == "-" }) {
            let isEncoded = label.prefix(2).map { $0.properties.lowercaseMapping }.joined() == "xn"
            return isEncoded
                ? "has a domain that begins with xn--, which can't be checked here; write it in its own letters"
                : "has two hyphens that can't stand there behind the @"
        }
        for scalar in label where scalar.isASCII {
            guard scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "-" else {
                return "has a character behind the @ that can't stand there"
            }
        }
        if let objection = objection(toForeign: label) { return objection }
        guard ascii(label).utf8.count <= longestLabel else {
            return "has more than \(longestLabel) bytes between dots behind the @"
        }
        return nil
    }

    /// Characters beyond ASCII: those that are the same under every version of the rules are taken, letters without
    /// compatibility forms, from left to right.
    private static func objection(toForeign label: ArraySlice<Unicode.Scalar>) -> String? {
        guard label.first.map({ !EmailAddress.isMark($0) }) ?? true else { return "begins with a combining character" }
        let unknown = "has a domain that can't be checked here; use one of ASCII letters"
        for scalar in label where !scalar.isASCII {
            switch scalar.properties.generalCategory {
            case .lowercaseLetter, .otherLetter: break
            // Vowel signs of the scripts of India and Thailand.
            case .nonspacingMark where indic.contains(scalar.value), .spacingMark where indic.contains(scalar.value):
                break
            default: return unknown
            }
            if scalar.properties.changesWhenNFKCCaseFolded && !["ß", "ς"].contains(scalar) { return unknown }
            // An application's Python may be some years old, and its tables with it.
            guard let age = scalar.properties.age, age.major < 14 else { return unknown }
            if outside.contains(where: { $0.contains(scalar.value) }) { return unknown }
        }
        return nil
    }

    private static let indic: ClosedRange<UInt32> = 0x0900...0x0E7F

    /// Written from right to left, conjoining, or historical: with rules of their own, or none.
    private static let outside: [ClosedRange<UInt32>] = [
        0x0590...0x08FF, 0x0F00...0x0FFF, 0x1100...0x11FF, 0x1680...0x16FF, 0x3000...0x3006, 0x3100...0x318F,
        0xA960...0xA97F, 0xD7B0...0xD7FF, 0xF900...0x10FFFF,
    ]

    /// A domain's form in ASCII, in lower case.
    static func ascii(_ domain: ArraySlice<Unicode.Scalar>) -> String {
        domain.split(separator: ".", omittingEmptySubsequences: false).map { label in
            let lower = label.flatMap { Array($0.properties.lowercaseMapping.unicodeScalars) }
            return lower.allSatisfy(\.isASCII)
                ? String(String.UnicodeScalarView(lower)) : "xn--" + Punycode.encode(lower)
        }.joined(separator: ".")
    }
}
