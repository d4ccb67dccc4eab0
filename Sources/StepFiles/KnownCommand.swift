/// What this tool knows of a command by its name: a row for each that a step may send.
///
/// What it journals of a command's effect is decided by ``DatabaseCommand/Kind``; most have none, and are sent as they are.
struct KnownCommand {
    /// What the command's first value names.
    enum Subject {
        /// A collection.
        case collection
        /// A user or a role.
        case account
        /// Nothing that has a name: the server, the database.
        case other
    }

    struct Traits: OptionSet {
        let rawValue: Int
        /// It changes nothing, or adds what nobody had.
        static let harmless = Traits(rawValue: 1)
        /// Doing it twice does what doing it once does.
        static let repeatable = Traits(rawValue: 2)
        /// One that the server refuses may have come part of the way.
        static let partial = Traits(rawValue: 4)
        /// Where it is refused, an operation within it may have failed after others had succeeded.
        static let wrapping = Traits(rawValue: 8)
    }

    let subject: Subject
    let traits: Traits
    /// The error codes by which the server says that what it wants is so already.
    let doneAlready: Set<Int32>

    private init(_ subject: Subject, _ traits: Traits = [], doneAlready: Set<Int32> = []) {
        (self.subject, self.traits, self.doneAlready) = (subject, traits, doneAlready)
    }

    /// Every command that a step may send: those of one database's collections, users and roles, and such as only look.
    ///
    /// Server error codes: https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml.
    static let all: [String: KnownCommand] = [
        "insert": KnownCommand(.collection, .partial),
        "update": KnownCommand(.collection, .partial),
        "delete": KnownCommand(.collection, .partial),
        "findAndModify": KnownCommand(.collection),
        "findandmodify": KnownCommand(.collection),
        "create": KnownCommand(.collection),
        "createIndexes": KnownCommand(.collection),
        "drop": KnownCommand(.collection),
        "aggregate": KnownCommand(.collection, .harmless),
        "find": KnownCommand(.collection, .harmless),
        "count": KnownCommand(.collection, .harmless),
        "distinct": KnownCommand(.collection, .harmless),
        "validate": KnownCommand(.collection, .harmless),
        "collMod": KnownCommand(.collection, .repeatable),
        // 27: index not found.
        "dropIndexes": KnownCommand(.collection, .repeatable, doneAlready: [27]),
        "compact": KnownCommand(.collection, .repeatable),
        "reIndex": KnownCommand(.collection, .repeatable),
        "convertToCapped": KnownCommand(.collection),
        "cloneCollectionAsCapped": KnownCommand(.collection),
        "mapReduce": KnownCommand(.collection, [.partial, .wrapping]),
        "mapreduce": KnownCommand(.collection, [.partial, .wrapping]),

        // 51003, 51002: the user, the role exists; 11, 31: there is none.
        "createUser": KnownCommand(.account, .harmless, doneAlready: [51003]),
        "createRole": KnownCommand(.account, .harmless, doneAlready: [51002]),
        "dropUser": KnownCommand(.account, .repeatable, doneAlready: [11]),
        "dropRole": KnownCommand(.account, .repeatable, doneAlready: [31]),
        "updateUser": KnownCommand(.account, .repeatable),
        "updateRole": KnownCommand(.account, .repeatable),
        "grantRolesToUser": KnownCommand(.account, .repeatable),
        "revokeRolesFromUser": KnownCommand(.account, .repeatable),
        "grantRolesToRole": KnownCommand(.account, .repeatable),
        "revokeRolesFromRole": KnownCommand(.account, .repeatable),
        "grantPrivilegesToRole": KnownCommand(.account, .repeatable),
        "revokePrivilegesFromRole": KnownCommand(.account, .repeatable),
        "usersInfo": KnownCommand(.other, .harmless),
        "rolesInfo": KnownCommand(.other, .harmless),

        "createSearchIndexes": KnownCommand(.collection),
        "updateSearchIndex": KnownCommand(.collection),
        "dropSearchIndex": KnownCommand(.collection),
        "listSearchIndexes": KnownCommand(.collection, .harmless),
        "planCacheClear": KnownCommand(.collection),
        "planCacheClearFilters": KnownCommand(.collection),
        "planCacheSetFilter": KnownCommand(.collection),
        "planCacheListFilters": KnownCommand(.collection, .harmless),

        "listCollections": KnownCommand(.other, .harmless),
        "listIndexes": KnownCommand(.collection, .harmless),
        "collStats": KnownCommand(.collection, .harmless),
        "collstats": KnownCommand(.collection, .harmless),
        "dataSize": KnownCommand(.other, .harmless),
        "datasize": KnownCommand(.other, .harmless),
        "dbStats": KnownCommand(.other, .harmless),
        "dbstats": KnownCommand(.other, .harmless),
        "dbHash": KnownCommand(.other, .harmless),
        "dbhash": KnownCommand(.other, .harmless),
        "explain": KnownCommand(.other, .harmless),
        "ping": KnownCommand(.other, .harmless),
        "hello": KnownCommand(.other, .harmless),
        "isMaster": KnownCommand(.other, .harmless),
        "ismaster": KnownCommand(.other, .harmless),
        "buildInfo": KnownCommand(.other, .harmless),
        "buildinfo": KnownCommand(.other, .harmless),
        "connectionStatus": KnownCommand(.other, .harmless),
        "serverStatus": KnownCommand(.other, .harmless),
    ]

    /// Why a command that people might expect is refused.
    static let refusals = [
        "dropDatabase": "dropDatabase would drop the ledger and the journal too; drop the collections one by one",
        "renameCollection":
            "renameCollection is a command of the database admin, which a step's file doesn't work on",
    ]

    /// Methods of the shell and of drivers that are taken for commands.
    static let methods = [
        "createCollection": "create", "createIndex": "createIndexes", "ensureIndex": "createIndexes",
        "dropIndex": "dropIndexes", "insertOne": "insert", "insertMany": "insert", "updateOne": "update",
        "updateMany": "update", "replaceOne": "update", "deleteOne": "delete", "deleteMany": "delete",
        "dropCollection": "drop", "runCommand": "the command itself",
    ]
}
