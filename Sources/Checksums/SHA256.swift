internal import CCrypto

/// SHA-256 (FIPS 180-4), computed by OpenSSL's libcrypto.
package enum SHA256 {
    /// The length of a digest, in bytes.
    package static let byteCount = 32

    /// The digest of `bytes` as 64 lower-case hexadecimal digits.
    ///
    /// - Throws: ``ChecksumError/noDigest``.
    package static func hex(_ bytes: [UInt8]) throws(ChecksumError) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let text = try digest(bytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    /// The digest of `bytes`: ``byteCount`` bytes.
    ///
    /// This is an error and not a trap because the reasons lie outside of the program: OpenSSL may be out of memory,
    /// or configured without a provider of SHA-256.
    ///
    /// - Throws: ``ChecksumError/noDigest``.
    package static func digest(_ bytes: [UInt8]) throws(ChecksumError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: byteCount)
        // "EVP_Digest() [...] returns 1 for success or 0 for failure" (EVP_DigestInit(3)).
        guard EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil) == 1 else { throw .noDigest }
        return digest
    }
}
