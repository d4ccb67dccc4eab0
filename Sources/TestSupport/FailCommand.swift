package import BSON

/// What the fail point `failCommand` does to which commands
/// (https://github.com/mongodb/mongo/wiki/The-%22failCommand%22-fail-point).
package struct FailCommand: Sendable {
    /// The commands it concerns, such as `insert`.
    package var commands: [String]
    /// Only those of clients with this name; nil concerns everybody.
    package var appName: String?
    /// Only those about this collection, with the name of its database in front; nil concerns all.
    package var namespace: String?
    /// Break the connection instead of answering.
    package var closeConnection = false
    /// Answer with this error instead of running the command.
    package var errorCode: Int32?
    /// Labels on that error; nil leaves them to the server.
    package var errorLabels: [String]?
    /// Run the command, and answer that it isn't durable.
    package var writeConcernError: BSONDocument?
    /// Wait so long before doing anything, in milliseconds.
    package var blockTimeMS: Int32?

    /// Names the commands, and the clients whose commands are meant.
    package init(_ commands: String..., appName: String? = nil, on namespace: String? = nil) {
        self.commands = commands
        self.appName = appName
        self.namespace = namespace
    }

    /// A copy that breaks the connection.
    package func closingConnection() -> FailCommand { with { $0.closeConnection = true } }

    /// A copy that answers with an error.
    package func failing(code: Int32, labels: [String]? = nil) -> FailCommand {
        with {
            $0.errorCode = code
            $0.errorLabels = labels
        }
    }

    /// A copy that runs the command and then says that it isn't durable.
    package func failingWriteConcern(code: Int32 = 64, message: String = "waiting for replication timed out")
        -> FailCommand
    {
        with { $0.writeConcernError = ["code": .int32(code), "errmsg": .string(message)] }
    }

    /// A copy that makes the command wait.
    package func blocking(milliseconds: Int32) -> FailCommand { with { $0.blockTimeMS = milliseconds } }

    var document: BSONDocument {
        var document: BSONDocument = ["failCommands": .array(BSONArray(commands.map { .string($0) }))]
        if let appName { document.append("appName", .string(appName)) }
        if let namespace { document.append("namespace", .string(namespace)) }
        if closeConnection { document.append("closeConnection", true) }
        if let errorCode { document.append("errorCode", .int32(errorCode)) }
        if let errorLabels { document.append("errorLabels", .array(BSONArray(errorLabels.map { .string($0) }))) }
        if let writeConcernError { document.append("writeConcernError", .document(writeConcernError)) }
        if let blockTimeMS {
            document.append("blockConnection", true)
            document.append("blockTimeMS", .int32(blockTimeMS))
        }
        return document
    }

    private func with(_ change: (inout FailCommand) -> Void) -> FailCommand {
        var copy = self
        change(&copy)
        return copy
    }
}
