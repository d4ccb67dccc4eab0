/// Swift source code, seen without its layout.
///
/// ``tokens`` is what a checksum of code is made of: the source's tokens as they are, with one separator between each
/// two, whatever stood there before: nothing, spaces, line breaks or comments. Two sources that differ in layout
/// and comments only have the same tokens; two programs that differ in anything else don't.
///
/// White space that means something is not layout:
///
/// - A string literal is kept byte for byte, except for code in its interpolations, which is code as everywhere else.
///   From each line of a multi-line literal the closing delimiter's indentation is taken away, as the compiler does.
///   Regular expression literals and identifiers in backticks are kept as they are.
/// - Swift tells prefix, infix and postfix operators apart by the white space around them ("Operators" in "The Swift
///   Programming Language: Lexical Structure"). A prefix or postfix operator has no separator on the side of its
///   operand, so `a - b` equals `a-b`, but neither equals `a -b`.
/// - `(` and `[` at the start of a line don't continue the expression before them. The separator in front of one is
///   then a line break, otherwise always a space.
///
/// A comma before `)` or `]`, which formatters add and remove, is left out. Other rewrites are changes: semicolons,
/// parentheses around conditions, the order of imports, a comma before `>`. So is white space around operators
/// outside of ASCII, whose bytes count as letters.
///
/// A bare slash starts a regular expression literal if white space or one of `([{,;:` is in front of it, neither a
/// blank nor `)` behind it, and an unescaped slash without a blank in front of it ends it on the same line, without a
/// closing parenthesis too many in between. `a /b/ c` is thereby taken for a literal; then its white space counts,
/// nothing else happens. An expression literal behind a prefix operator, as in `!/a b/`, is taken for code.
///
/// Nothing is refused. A literal that doesn't end on its line, though it has to, ends with the line; another that
/// doesn't end, and a comment that doesn't, are kept up to the end. A byte-order mark is left out, CR LF is read as
/// LF. The time taken is proportional to the number of bytes.
///
/// - Important: Checksums are compared with those of earlier builds. A change of ``tokens`` changes them all.
package struct SwiftSource: Hashable, Sendable {
    /// The source, with or without a byte-order mark; should be UTF-8.
    package let bytes: [UInt8]

    /// Takes the source as it is.
    package init(_ bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
    }

    /// The source's tokens, one separator between each two.
    package var tokens: [UInt8] {
        var scanner = SwiftScanner(bytes)
        return scanner.tokens()
    }

    /// The SHA-256 of ``tokens``, as 64 lower-case hexadecimal digits.
    ///
    /// - Throws: ``ChecksumError/noDigest``.
    package func checksum() throws(ChecksumError) -> String {
        try SHA256.hex(tokens)
    }
}
