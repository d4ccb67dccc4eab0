internal import FoundationEssentials
internal import Glibc

/// The system's words for what went wrong with a file.
package enum SystemWords {
    /// Such as "Permission denied".
    package static func of(_ error: any Error) -> String {
        guard let underlying = (error as? CocoaError)?.underlying as? POSIXError else { return "\(error)" }
        return String(cString: strerror(underlying.code.rawValue))
    }
}
