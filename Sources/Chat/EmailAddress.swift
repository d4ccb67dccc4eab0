/// The rule by which the application's models take an email address: Pydantic's `EmailStr`, which is the Python package
/// email-validator without its look at the DNS (https://github.com/JoshData/python-email-validator).
///
/// A user whose address they refuse can't log in. What can't be told here without the tables of IDNA is refused too, and
/// says so; no address is taken that they refuse.
enum EmailAddress {
    /// Why an address can't be used, to stand behind its field's name; nil when it can. The address isn't in it.
    static func objection(to text: String) -> String? {
        let scalars = Array(text.unicodeScalars)
        guard let at = scalars.firstIndex(of: "@") else { return "has no @" }
        if scalars.contains(where: { $0.properties.isWhitespace }) { return "has white space in it" }
        if scalars.contains(where: { "\"<>[]".unicodeScalars.contains($0) }) {
            return "has to be the bare address, without quotes and brackets"
        }
        let local = scalars[..<at]
        let domain = scalars[(at + 1)...]
        if let objection = objection(toLocal: local) ?? objection(toDomain: domain) { return objection }
        guard text.utf8.count <= longest, Domain.ascii(domain).count + utf8Count(local) + 1 <= longest else {
            return "has more than \(longest) bytes"
        }
        return nil
    }

    /// RFC 5321, 4.5.3.1.3.
    private static let longest = 254

    private static func utf8Count(_ scalars: ArraySlice<Unicode.Scalar>) -> Int {
        scalars.reduce(0) { $0 + UTF8.width($1) }
    }

    /// RFC 5322, 3.2.3, and RFC 6531, 3.3: words of letters and some signs, with single dots between them.
    private static func objection(toLocal local: ArraySlice<Unicode.Scalar>) -> String? {
        let words = local.split(separator: ".", omittingEmptySubsequences: false)
        guard !words.contains(where: \.isEmpty) else {
            return local.isEmpty ? "has nothing before the @" : "has a dot too many before the @"
        }
        for scalar in local where scalar != "." && !isAtom(scalar) {
            return "has a character before the @ that can't stand there"
        }
        guard local.first.map({ !isMark($0) }) ?? false else { return "begins with a combining character" }
        return nil
    }

    private static func isAtom(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII {
            return scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                || "!#$%&'*+-/=?^_`{|}~".unicodeScalars.contains(scalar)
        }
        // It becomes a semicolon when the address is normalised.
        if scalar == "\u{37E}" { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .spaceSeparator, .lineSeparator,
            .paragraphSeparator:
            return false
        default: return true
        }
    }

    static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        [.nonspacingMark, .spacingMark, .enclosingMark].contains(scalar.properties.generalCategory)
    }

    private static func objection(toDomain domain: ArraySlice<Unicode.Scalar>) -> String? {
        let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
        guard !domain.isEmpty else { return "has nothing behind the @" }
        guard !labels.contains(where: \.isEmpty) else { return "has a dot too many behind the @" }
        for label in labels {
            if let objection = Domain.objection(toLabel: label) { return objection }
        }
        let ascii = Domain.ascii(domain)
        guard labels.count > 1 else { return "has no dot behind the @" }
        guard let last = ascii.last, ("a"..."z").contains(last) else { return "ends in no top-level domain" }
        guard ascii.count <= Domain.longest else { return "has more than \(Domain.longest) bytes behind the @" }
        if let reserved = reservedDomains.first(where: { ascii == $0 || ascii.hasSuffix("." + $0) }) {
            return "is in the reserved domain .\(reserved), which the application's login refuses; "
                + "example.com serves for test users"
        }
        return nil
    }

    /// The special-use domains (https://www.iana.org/assignments/special-use-domain-names) that are refused; `example` is
    /// none of them.
    private static let reservedDomains = ["arpa", "invalid", "local", "localhost", "onion", "test"]
}
