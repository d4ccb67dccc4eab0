/// Why a sandbox can't do what it is asked to.
package struct SandboxError: Error, CustomStringConvertible, Sendable {
    /// What kind of obstacle it is.
    package enum Kind: Sendable, Equatable {
        /// The name, or what is asked for, makes no sense.
        case usage
        /// There is no `mongod` that can be used.
        case noServer
        /// Something is in the way, and nothing was changed.
        case refused
        /// A file or folder can't be read or written.
        case inputOutput
        /// The server didn't start, or doesn't answer.
        case unreachable
    }

    /// What kind it is.
    package let kind: Kind
    /// What happened, where, and what to do.
    package let description: String

    init(_ kind: Kind, _ description: String) { (self.kind, self.description) = (kind, description) }
}
