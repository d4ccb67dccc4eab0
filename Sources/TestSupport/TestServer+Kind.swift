extension TestServer {
    /// What kind of deployment a server is.
    package enum Kind: String, Sendable, CaseIterable {
        /// One server that anybody may use: no transactions, as in the application's own deployment.
        case standalone
        /// The same with `--auth` and a root user whose password holds characters that mean something in a URI.
        case authenticated
        /// A replica set of one.
        case replicaSet

        var arguments: [String] {
            switch self {
            case .standalone: []
            case .authenticated: ["--auth"]
            // A killed client's transaction holds its locks for this long, a minute by default.
            case .replicaSet:
                [
                    "--replSet", TestServer.replicaSetName, "--setParameter", "transactionLifetimeLimitSeconds=12",
                ]
            }
        }
    }

    /// What a server was started as.
    struct Model: Sendable, Hashable {
        let kind: Kind
        let version: ServerVersion
    }

    /// A user and the password.
    package struct Credentials: Sendable {
        /// The user's name.
        package let user: String
        /// The user's password.
        package let password: String
    }

    static let replicaSetName = "rs0"
    /// Every character in it that isn't a letter would break a URI if it weren't escaped.
    static let root = Credentials(user: "root", password: "p@ss/w:rd%40?&#")
}
