internal import Foundation

/// Which MongoDB a test server is.
package enum ServerVersion: String, Sendable, CaseIterable, CustomStringConvertible {
    /// What `CHAT_ADMIN_MONGOD` names, the one on `PATH`, or the first of `scripts/mongodb.txt`.
    case standard
    /// The oldest that the tool works on.
    case mongo44 = "4.4.2"
    case mongo50 = "5.0.4"
    /// The newest that can be had without MongoDB's own packages.
    case mongo60 = "6.0.27"

    /// Those beside the standard one.
    package static let others: [ServerVersion] = [.mongo44, .mongo50, .mongo60]

    package var description: String { rawValue }

    /// Whether this machine can run the others: they are programs for Linux on x86_64.
    package static var canRunOthers: Bool {
        #if os(Linux) && arch(x86_64)
            true
        #else
            false
        #endif
    }
}
