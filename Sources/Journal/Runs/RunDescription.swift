package import BSON
internal import FoundationEssentials

/// Who runs what, and with which version: what a run's record and the ledger keep.
package struct RunDescription: Sendable {
    /// The command, such as `migrate up`.
    package let command: String
    /// Its arguments, free of secrets.
    package let arguments: [String]
    /// The tool's version.
    package let toolVersion: String
    /// Puts advice into words, for what is read in the records later.
    package let words: @Sendable (any Advice) -> String
    /// The machine's name.
    package let host: String
    /// The operating system's user.
    package let user: String

    /// Describes a run of this process.
    package init(
        command: String, arguments: [String], toolVersion: String,
        words: @escaping @Sendable (any Advice) -> String = { $0.words }
    ) {
        self.words = words
        self.command = command
        self.arguments = arguments
        self.toolVersion = toolVersion
        host = ProcessInfo.processInfo.hostName
        user = ProcessInfo.processInfo.environment["USER"] ?? ProcessInfo.processInfo.userName
    }

    /// A command line may be megabytes long.
    private static let (mostArguments, longestArgument) = (200, 1000)

    /// Who holds the lease, in words for people.
    package var owner: String {
        "\(command) by \(user) on \(host) (process \(ProcessInfo.processInfo.processIdentifier))"
    }

    var document: BSONDocument {
        [
            "command": .string(command),
            "arguments": .array(
                BSONArray(
                    arguments.prefix(Self.mostArguments).map {
                        .string($0.excerpt(maximumCharacters: Self.longestArgument))
                    })), "toolVersion": .string(toolVersion), "host": .string(host),
            "user": .string(user.excerpt(maximumCharacters: Self.longestArgument)),
            "process": .int64(Int64(ProcessInfo.processInfo.processIdentifier)),
        ]
    }
}

/// The wall clock, for records that people read; nothing is decided by it.
package enum WallClock {
    /// Milliseconds since 1970.
    package static var now: BSONValue { .date(milliseconds) }

    /// The same as a number.
    package static var milliseconds: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    /// Seconds since 1970, as ObjectIds carry them.
    static var seconds: UInt32 { UInt32(clamping: Int64(Date().timeIntervalSince1970)) }
}

extension ObjectID {
    /// A new id that carries the present time.
    package static func now() -> ObjectID { ObjectID(timestamp: WallClock.seconds) }
}
