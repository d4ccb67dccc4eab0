/// Percent-encoding for the parts of a URI, written independently of the product's own.
package enum PercentEncoding {
    /// Encodes everything but letters and digits.
    package static func encode(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            let isPlain =
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            if isPlain {
                result.unicodeScalars.append(UnicodeScalar(byte))
            } else {
                let hex = String(byte, radix: 16, uppercase: true)
                result += "%" + (hex.count == 1 ? "0" + hex : hex)
            }
        }
    }
}
