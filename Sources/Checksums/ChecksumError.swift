/// Why checksums couldn't be computed or written.
package enum ChecksumError: Error, Hashable, Sendable {
    /// OpenSSL computed no SHA-256: it is out of memory, or its configuration offers no provider of it.
    case noDigest

    /// No output file was named on the command line.
    case noOutput

    /// A file couldn't be read, with the system's reason.
    case unreadable(path: String, reason: String)

    /// The output couldn't be written, with the system's reason.
    case unwritable(path: String, reason: String)

    /// Two source files have the same last path component, so that it names neither of them.
    case sameName(String, first: String, second: String)
}

extension ChecksumError: CustomStringConvertible {
    /// What happened and what to do next, in full sentences.
    package var description: String {
        switch self {
        case .noDigest:
            "OpenSSL computed no SHA-256. Check its configuration (openssl.cnf) for a provider that offers SHA2-256."
        case .noOutput:
            "No output file was named. Usage: source-checksums OUTPUT.swift [INPUT.swift ...]"
        case .unreadable(let path, let reason):
            "The file \(path) can't be read: \(reason)"
        case .unwritable(let path, let reason):
            "The file \(path) can't be written: \(reason)"
        case .sameName(let name, let first, let second):
            "Two source files are called \(name): \(first) and \(second). Checksums go by a file's name; rename one."
        }
    }
}
