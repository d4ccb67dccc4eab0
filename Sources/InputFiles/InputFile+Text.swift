extension InputFile {
    /// Reads a file's text.
    ///
    /// - Parameters:
    ///   - path: Its path, or `-` for standard input.
    ///   - limit: The most bytes that it may hold.
    ///   - extent: How much of it is wanted.
    ///   - patience: How long a pipe may take.
    /// - Returns: The text without a byte order mark, which some editors put in front.
    /// - Throws: ``Failure``.
    package static func readText(
        _ path: String, limit: Int, extent: Extent = .whole, patience: Duration = patience
    ) async throws(Failure) -> String {
        try text(await read(path, limit: limit, extent: extent, patience: patience))
    }

    /// The text that bytes are.
    ///
    /// - Throws: ``Failure`` of kind `encoding`, which names the line and never what stands there.
    package static func text(_ bytes: [UInt8]) throws(Failure) -> String {
        if isWide(bytes) { throw Failure(kind: .encoding, description: wide) }
        let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        guard let text = String(validating: content, as: UTF8.self) else {
            throw Failure(
                kind: .encoding, description: "line \(badLine(content)) isn't UTF-8; save it in that encoding")
        }
        return text
    }

    /// Whether bytes are text in UTF-16 or UTF-32, as some editors and shells of Windows write it: by its mark, or by the
    /// NUL characters of which it is full.
    package static func isWide(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) || bytes.contains(0)
    }

    private static let wide =
        "it is UTF-16, or no text at all; save it as UTF-8, for instance with `iconv -f UTF-16 -t UTF-8`"

    private static func badLine(_ bytes: ArraySlice<UInt8>) -> Int {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return 1 + (lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0)
    }
}
