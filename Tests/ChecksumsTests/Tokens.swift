import Checksums

/// The tokens of `source` as text.
func tokens(_ source: String) -> String {
    String(decoding: SwiftSource(source.utf8).tokens, as: UTF8.self)
}

/// The tokens of `bytes`; bytes that aren't UTF-8 are lost.
func tokens(_ bytes: [UInt8]) -> String {
    String(decoding: SwiftSource(bytes).tokens, as: UTF8.self)
}
