import Foundation

/// How much of the matrix is run: a sample in `make test`, all of it in `make test-faults`.
enum Effort {
    static let isFull = environment["CHAT_ADMIN_FAULTS"] == "all"

    /// Whether a part of the matrix is wanted: `CHAT_ADMIN_FAULTS_ONLY` may hold words, separated by commas, that a
    /// part's name has all to contain, such as `migrate up,standalone`.
    static func includes(_ part: String) -> Bool {
        let words = (environment["CHAT_ADMIN_FAULTS_ONLY"] ?? "").split(separator: ",")
        return words.allSatisfy { part.contains($0) }
    }

    private static let environment = ProcessInfo.processInfo.environment
}
