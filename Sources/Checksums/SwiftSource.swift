/// A source file of a step, seen without what an editor or a checkout changes by itself: a byte order mark is left out, and
/// CR LF is read as LF. Everything else counts, comments and spaces too.
///
/// - Important: Checksums are compared with those of earlier builds. A change of what counts changes them all.
package struct SwiftSource: Hashable, Sendable {
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// The bytes that count.
    package let bytes: [UInt8]

    /// Takes a source, with or without a byte order mark.
    package init(_ bytes: some Sequence<UInt8>) {
        let all = Array(bytes)
        let source = all.starts(with: Self.byteOrderMark) ? all.dropFirst(3) : all[...]
        self.bytes = source.indices.filter { index in
            let next = source.index(after: index)
            return source[index] != UInt8(ascii: "\r") || next == source.endIndex || source[next] != UInt8(ascii: "\n")
        }.map { source[$0] }
    }

    /// The SHA-256 of ``bytes``, as 64 lower-case hexadecimal digits.
    ///
    /// - Throws: ``ChecksumError/noDigest``.
    package func checksum() throws(ChecksumError) -> String { try SHA256.hex(bytes) }
}
