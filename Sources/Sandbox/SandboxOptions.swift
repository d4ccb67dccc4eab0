/// How a sandbox is started.
package struct SandboxOptions: Sendable {
    /// How many servers a replica set has; nil for a standalone server.
    package var members: Int?
    /// The port of the first server; those of the others follow it. Nil for any that are free.
    package var port: Int?
    /// After so many seconds it is ended if nobody does before; nil for never.
    package var lifetime: Int64?
    /// The folder that its data stay in; nil where they go with it.
    package var kept: String?
    /// The database that it is for.
    package var database = "chat"
    /// Whether it ends with this process.
    package var isOwned = false

    /// As it is by default.
    package init() {}
}
