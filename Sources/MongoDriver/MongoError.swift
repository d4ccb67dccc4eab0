internal import BSON

/// What went wrong between this program and MongoDB.
///
/// ``kind`` is the stable code to switch on, ``message`` the server's or the driver's own words,
/// ``code`` the server's error code where it gave one.
public struct MongoError: Error, Sendable, CustomStringConvertible {
    /// The class of an error, which decides what the caller can do about it.
    public enum Kind: String, Sendable {
        /// The connection string can't be used.
        case connectionString
        /// No server answered in time.
        case unreachable
        /// The connection broke, or the reply never came: whether the command ran is unknown.
        case network
        /// User name or password were refused.
        case authentication
        /// The user may not do this.
        case unauthorized
        /// A unique key is there already.
        case duplicateKey
        /// A document fails the collection's validator.
        case documentValidation
        /// A command took longer than it was given.
        case timeout
        /// A write happened, but not as durably as asked.
        case writeConcern
        /// The server refused a command or a write for another reason.
        case server
        /// Bytes that aren't BSON.
        case bson
        /// A call that this driver, or libmongoc, can't make.
        case `internal`
    }

    /// The class of the error.
    public let kind: Kind
    /// The server's error code, or 0 where the error didn't come from a server.
    public let code: Int32
    /// The words of the server or of the driver.
    public let message: String
    /// Error labels such as `TransientTransactionError`.
    public let labels: Set<String>
    /// How much of a bulk write was done before it failed.
    package let partialResult: BulkWriteResult?
    /// Whether one of a command's writes was refused, and not the command: others may have been made.
    public let isOfOneWrite: Bool

    /// Makes an error.
    package init(
        _ kind: Kind, _ message: String, code: Int32 = 0, labels: Set<String> = [],
        partialResult: BulkWriteResult? = nil, isOfOneWrite: Bool = false
    ) {
        self.isOfOneWrite = isOfOneWrite
        self.kind = kind
        self.code = code
        self.message = kind == .unauthorized ? Self.shortened(message) : Redaction.redact(message)
        self.labels = labels
        self.partialResult = partialResult
    }

    /// One sentence: the class where the words alone don't tell it, and the words.
    public var description: String {
        switch kind {
        case .unreachable: "No MongoDB server answered: \(message)"
        case .authentication: "MongoDB refused the user name or the password: \(message)"
        case .unauthorized:
            "The MongoDB user may not do this: \(message)."
                + (isAboutUsers ? " The role userAdmin on the database allows it." : "")
        case .network: "The connection to MongoDB broke: \(message)"
        case .writeConcern: "MongoDB couldn't confirm that a write is durable: \(message)"
        case .timeout: "MongoDB ran out of time: \(message)"
        case .connectionString, .duplicateKey, .documentValidation, .server, .bson, .internal: message
        }
    }

    /// Whether the member that was asked takes no writes, or isn't able to work at the moment: what was asked wasn't done.
    package var isOfMember: Bool { kind == .server && Self.notPrimary.contains(code) }

    /// Not a writable primary, not master and no secondaryOk, not primary or secondary
    /// (https://github.com/mongodb/specifications/blob/master/source/server-discovery-and-monitoring).
    private static let notPrimary: Set<Int32> = [10058, 10107, 13435, 13436]

    /// Whether a command was refused that is about users or roles.
    private var isAboutUsers: Bool {
        let command = message.split(separator: "`", omittingEmptySubsequences: false).dropFirst().first ?? ""
        return ["User", "Role"].contains { command.contains($0) }
    }

    /// The server repeats the whole command that it refuses; its name is enough.
    private static func shortened(_ message: String) -> String {
        let marker = " to execute command { "
        guard let range = message.firstRange(of: marker) else { return Redaction.redact(message) }
        return message[..<range.lowerBound] + " to execute `" + message[range.upperBound...].prefix { $0 != ":" } + "`"
    }

    /// Codes of a server that is shutting down, stepping down or interrupting: what it was asked may have been done
    /// (the retryable ones of https://github.com/mongodb/specifications/blob/master/source/retryable-writes, and
    /// `Interrupted`).
    private static let interruptions: Set<Int32> = [91, 189, 10058, 10107, 11600, 11601, 11602, 13435, 13436]
    /// Codes of a cursor that is gone: the server was started again, or the cursor idle for too long.
    private static let lostCursors: Set<Int32> = [43, 175, 237]

    /// Whether the server definitely did not do what it was asked: it may not be asked again, or differently.
    public var isRefusal: Bool {
        switch kind {
        case .authentication, .unauthorized, .duplicateKey, .documentValidation: true
        case .server: !Self.interruptions.contains(code)
        case .connectionString, .unreachable, .network, .timeout, .writeConcern, .bson, .internal: false
        }
    }

    /// Whether the server refused a command before it did anything of it: it wasn't allowed, or not understood.
    public var isEarly: Bool {
        !isOfOneWrite && (kind == .unauthorized || kind == .authentication || Self.early.contains(code))
    }

    /// Whether the server found no way to look for what a filter asks for, because it needs an index that isn't there.
    public var isOfPlanning: Bool { code == ServerCode.indexNotFound || code == ServerCode.noQueryPlan }

    /// Failed to parse, no such collection, no such command, invalid options or name, unknown stage, unknown field.
    private static let early: Set<Int32> = [9, ServerCode.namespaceNotFound, 59, 72, 73, 40324, 40415]

    /// Whether the cause passes by itself: the connection broke, no server answered, a server is stepping or shutting
    /// down, a write waits for members that are away. What was asked may or may not have been done.
    public var isTransient: Bool {
        switch kind {
        case .unreachable, .network, .writeConcern: true
        case .server:
            Self.interruptions.contains(code) || code == ServerCode.writeConflict || Self.lostCursors.contains(code)
                || ServerCode.snapshotErrors.contains(code)
                || !labels.isDisjoint(with: ["RetryableWriteError", "TransientTransactionError"])
        case .timeout: labels.contains("UnknownTransactionCommitResult")
        case .connectionString, .authentication, .unauthorized, .duplicateKey, .documentValidation, .bson, .internal:
            false
        }
    }

    /// Whether a read is tried once more: the connection broke, or the server is stepping or shutting down
    /// (https://github.com/mongodb/specifications/blob/master/source/retryable-reads).
    var isRetryableRead: Bool { kind == .network || Self.retryableReads.contains(code) }

    /// Whether it may pass by itself: the server is away, or another member has become the primary.
    package var isPassing: Bool {
        [Kind.network, .unreachable, .timeout].contains(kind) || Self.retryableReads.contains(code)
            || ServerCode.cursorLost.contains(code)
    }

    /// Whether a change stream can't begin where it was to: that lies too far back, or isn't a place of this server's.
    package var isChangeHistoryLost: Bool {
        ServerCode.changeHistoryLost.contains(code) || hasLabel("NonResumableChangeStreamError")
    }

    private static let retryableReads: Set<Int32> = [91, 134, 189, 262, 10107, 11600, 11602, 13435, 13436]

    /// Says whether the server, or the driver on its behalf, put this label on the error.
    public func hasLabel(_ label: String) -> Bool { labels.contains(label) }
}

extension MongoError {
    /// Server error codes that this project tells apart
    /// (https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml).
    public enum ServerCode {
        /// A value isn't what the command takes, such as a hint that names no index.
        public static let badValue: Int32 = 2
        /// Not authorised to run a command.
        public static let unauthorized: Int32 = 13
        /// Wrong user name or password.
        public static let authenticationFailed: Int32 = 18
        /// The collection or database doesn't exist.
        public static let namespaceNotFound: Int32 = 26
        /// The index doesn't exist.
        public static let indexNotFound: Int32 = 27
        /// No index, and no other way, serves a query, such as `$near`.
        public static let noQueryPlan: Int32 = 291
        /// The collection exists already.
        public static let namespaceExists: Int32 = 48
        /// The operation exceeded its `maxTimeMS`.
        public static let maxTimeExpired: Int32 = 50
        /// The collection of a `collectionUUID` has another name, or is gone.
        public static let collectionUUIDMismatch: Int32 = 361
        /// The member of a replica set is starting or recovering.
        public static let notPrimaryOrSecondary: Int32 = 13436
        /// What a collection that isn't there any more is answered with.
        public static let collectionGone: Set<Int32> = [namespaceNotFound, collectionUUIDMismatch]
        /// An index of that name exists with other options.
        public static let indexOptionsConflict: Int32 = 85
        /// An index of that name exists with another key.
        public static let indexKeySpecsConflict: Int32 = 86
        /// A transaction met a concurrent write.
        public static let writeConflict: Int32 = 112
        /// A document fails the collection's validator.
        public static let documentValidationFailure: Int32 = 121
        /// The command isn't supported on a view.
        public static let commandNotSupportedOnView: Int32 = 166
        /// A snapshot is too old, or can't be read because the catalogue has changed since: to be tried again.
        public static let snapshotErrors: Set<Int32> = [239, 246]
        /// A cursor isn't there any more.
        static let cursorLost: Set<Int32> = [43, 136, 175, 237]
        /// A change stream can't be resumed: its place lies too far back, or isn't one of this server's.
        static let changeHistoryLost: Set<Int32> = [222, 260, 280, 286]
        /// A unique key is there already.
        public static let duplicateKey: Int32 = 11000
    }

    /// The kind that a server's error code stands for.
    package static func kind(ofServerCode code: Int32) -> Kind {
        switch code {
        case ServerCode.unauthorized: .unauthorized
        case ServerCode.authenticationFailed, 8000: .authentication
        case ServerCode.duplicateKey, 11001, 12582: .duplicateKey
        case ServerCode.documentValidationFailure: .documentValidation
        case ServerCode.maxTimeExpired, 262: .timeout
        case 6, 7, 89, 9001: .network
        default: .server
        }
    }
}
