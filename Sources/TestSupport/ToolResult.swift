package import BSON
internal import MongoDriver
internal import Subprocess

/// How a run of the tool ended, and what it printed.
package struct ToolResult: Sendable, CustomStringConvertible {
    /// Its exit code; nil when a signal ended it.
    package let exitCode: Int32?
    /// The signal that ended it; nil when it ended by itself.
    package let signal: Int32?
    /// What it printed on standard output.
    package let output: String
    /// What it printed on standard error.
    package let errors: String

    init(ending: TerminationStatus, output: String, errors: String) {
        switch ending {
        case .exited(let code): (exitCode, signal) = (code, nil)
        case .signaled(let number): (exitCode, signal) = (nil, number)
        }
        self.output = output
        self.errors = errors
    }

    /// Standard output as the one JSON document that `--format json` prints.
    ///
    /// - Throws: when it isn't one.
    package func json() throws -> BSONDocument {
        do {
            return try ExtendedJSON.document(output)
        } catch {
            throw TestSupportError("Standard output isn't JSON: \(error)\n\(self)")
        }
    }

    /// Everything, for a failed expectation.
    package var description: String {
        let ending = exitCode.map { "exit code \($0)" } ?? "signal \(signal ?? 0)"
        return "\(ending)\n-- standard output\n\(output)\n-- standard error\n\(errors)"
    }
}
