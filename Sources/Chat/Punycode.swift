/// The encoding of names of hosts beyond ASCII (RFC 3492).
enum Punycode {
    // RFC 3492, 5: "Parameter values for Punycode".
    private static let base = 36
    private static let smallest = 1
    private static let largest = 26
    private static let skew = 38
    private static let damp = 700
    private static let initialBias = 72
    private static let initialCode: UInt32 = 128

    /// Encodes a label, at most some hundred characters of it: no name is longer.
    static func encode(_ label: [Unicode.Scalar]) -> String {
        let codes = label.prefix(300).map(\.value)
        var output = String(String.UnicodeScalarView(label.prefix(300).filter(\.isASCII)))
        let basic = output.utf8.count
        if basic > 0 { output += "-" }
        var code = initialCode
        var delta = 0
        var bias = initialBias
        var handled = basic
        while handled < codes.count, let least = codes.filter({ $0 >= code }).min() {
            delta += Int(least - code) * (handled + 1)
            code = least
            for other in codes {
                if other < code { delta += 1 }
                guard other == code else { continue }
                output += digits(delta, bias)
                bias = adapted(delta, handled + 1, isFirst: handled == basic)
                delta = 0
                handled += 1
            }
            delta += 1
            code += 1
        }
        return output
    }

    /// A number of variable length.
    private static func digits(_ number: Int, _ bias: Int) -> String {
        var result = ""
        var rest = number
        var position = base
        while true {
            let threshold = min(max(position - bias, smallest), largest)
            if rest < threshold { break }
            result.append(digit(threshold + (rest - threshold) % (base - threshold)))
            rest = (rest - threshold) / (base - threshold)
            position += base
        }
        return result + String(digit(rest))
    }

    private static func digit(_ value: Int) -> Character {
        Character(Unicode.Scalar(UInt8(value < 26 ? value + 97 : value - 26 + 48)))
    }

    private static func adapted(_ delta: Int, _ count: Int, isFirst: Bool) -> Int {
        var rest = isFirst ? delta / damp : delta / 2
        rest += rest / count
        var shift = 0
        while rest > (base - smallest) * largest / 2 {
            rest /= base - smallest
            shift += base
        }
        return shift + (base - smallest + 1) * rest / (rest + skew)
    }
}
