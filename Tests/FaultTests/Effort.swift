import Foundation

/// How much of the matrix is run: a sample in `make test`, all of it in `make test-faults`.
enum Effort {
    static let isFull = ProcessInfo.processInfo.environment["CHAT_ADMIN_FAULTS"] == "all"
}
