/// Takes the case away from text, letter by letter (Unicode's simple case folding, chapter 5.18 of its standard): what has
/// another width, is a superscript, or is written in other kana stays apart.
package enum SimpleCaseFolding {
    /// The text without case, as UTF-8: strings that look the same needn't be the same.
    package static func fold(_ text: String) -> [UInt8] { fold(text) { _ in true } }

    /// The text without the case of its ASCII letters, as UTF-8.
    static func asciiFold(_ text: String) -> [UInt8] { fold(text, where: \.isASCII) }

    private static func fold(_ text: String, where isFolded: (Unicode.Scalar) -> Bool) -> [UInt8] {
        text.unicodeScalars.flatMap { Array(String(isFolded($0) ? fold($0) : $0).utf8) }
    }

    /// By way of the capital letter, so that letters with two small forms (σ and ς) are one. A letter whose other case
    /// is more than one letter (ß) stays as it is.
    private static func fold(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        let upper = single(scalar.properties.uppercaseMapping) ?? scalar
        return single(upper.properties.lowercaseMapping) ?? upper
    }

    private static func single(_ mapping: String) -> Unicode.Scalar? {
        let scalars = mapping.unicodeScalars
        return scalars.count == 1 ? scalars.first : nil
    }
}
