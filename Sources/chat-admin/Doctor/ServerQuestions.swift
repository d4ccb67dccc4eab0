internal import BSON
internal import Chat
internal import Consistency
internal import FoundationEssentials
internal import Journal
internal import MongoDriver

/// What is asked of the server: who we are to it, what it is, and how it does.
struct ServerQuestions {
    let session: CommandSession
    let diagnoses: Diagnoses

    private var client: MongoClient { session.database.client }
    private var server: ServerDescription { session.database.server }

    /// A difference that nobody has on purpose.
    private static let largestClockDifference = Duration.seconds(5)
    /// An idle primary writes every ten seconds.
    private static let largestMajorityLag = 15.0

    /// - Returns: Whether the user may look at the database.
    func ask() async throws -> Bool {
        diagnoses.add(settings)
        try await diagnoses.ask("user") { try await user() }
        try await diagnoses.ask("version") { try await version() }
        let sent = Date()
        let hello = try await client.run(["hello": 1], on: "admin")
        let received = Date()
        diagnoses.add(topology(hello))
        if let majority = majority(hello) { diagnoses.add(majority) }
        if server.topology == .replicaSet { try await diagnoses.ask("members") { try await members() } }
        diagnoses.add(transactions)
        if let clock = clock(hello, sent, received) { diagnoses.add(clock) }
        return diagnoses.all.allSatisfy { !["user", "privileges"].contains($0.name) || $0.status != .failure }
    }

    private var settings: Diagnosis {
        let connection = client.connectionString
        let reads = session.database.readPreference ?? .primary
        let parts = [
            session.place.line, "User: \(connection.username ?? "none").", "Reads: \(reads.rawValue).",
            "This tool's writes wait for a majority and the disk.",
        ]
        return .good("settings", parts.joined(separator: " "))
    }

    // MARK: Who am I, and may I

    private func user() async throws -> [Diagnosis] {
        let reply = try await client.run(["connectionStatus": 1, "showPrivileges": true], on: "admin")
        let users = reply.value(at: "authInfo", "authenticatedUsers")?.array?.compactMap(\.document) ?? []
        guard let user = users.first else {
            do {
                // Where users are asked for, this isn't answered without one.
                _ = try await client.run(["listCollections": 1, "nameOnly": true], on: session.database.name)
            } catch let error as MongoError where error.kind == .unauthorized {
                let words = "The server asks for a user, and the connection names none."
                return [.failure("user", words, advice: ConnectionHint.noUser)]
            }
            return [.good("user", "The server asks for no user: everybody who reaches it may do everything.")]
        }
        let name = "\(user["user"]?.string ?? "?") (of \(user["db"]?.string ?? "?"))"
        let roles = (reply.value(at: "authInfo", "authenticatedUserRoles")?.array?.compactMap(\.document) ?? []).map {
            "\($0["role"]?.string ?? "?") on \($0["db"]?.string ?? "?")"
        }
        let privileges = Privileges(
            reply.value(at: "authInfo", "authenticatedUserPrivileges")?.array?.compactMap(\.document) ?? [],
            database: session.database.name)
        return [
            .good("user", "Signed in as \(name), with \(roles.isEmpty ? "no role" : roles.joined(separator: ", "))."),
            privileges.diagnosis,
        ]
    }

    // MARK: What the server is

    private func version() async throws -> [Diagnosis] {
        let text = "MongoDB \(server.version)"
        let reply: BSONDocument
        do {
            reply = try await client.run(["getParameter": 1, "featureCompatibilityVersion": 1], on: "admin")
        } catch let error as MongoError where error.isRefusal {
            return [.good("version", "\(text); its feature compatibility version isn't told to this user.")]
        }
        let feature = reply.value(at: "featureCompatibilityVersion", "version")?.string ?? "unknown"
        guard !server.version.hasPrefix(feature) else {
            return [.good("version", "\(text), feature compatibility version \(feature).")]
        }
        return [
            .warning(
                "version", "\(text), with the feature compatibility version \(feature) of an older one.",
                advice: "Finish the upgrade (setFeatureCompatibilityVersion) once the set has run well for a while.")
        ]
    }

    private func topology(_ hello: BSONDocument) -> Diagnosis {
        switch server.topology {
        case .standalone: return .good("topology", "A standalone server.")
        case .sharded: return .good("topology", "A sharded cluster, seen through mongos.")
        case .replicaSet:
            let name = hello["setName"]?.string ?? "?"
            let hosts = server.members.joined(separator: ", ")
            let isPrimary = MongoClient.isPrimary(hello)
            let text = "The replica set \(name): \(hosts)."
            return isPrimary
                ? .good("topology", "\(text) The primary answers.")
                : .warning(
                    "topology", "\(text) A secondary answers, which takes no writes.",
                    advice: "For anything that changes, name all members, without directConnection.")
        }
    }

    /// Whether a majority has what the primary has. `hello` tells, and nothing is written.
    private func majority(_ hello: BSONDocument) -> Diagnosis? {
        guard let written = hello.value(at: "lastWrite", "lastWriteDate")?.date,
            let confirmed = hello.value(at: "lastWrite", "majorityWriteDate")?.date
        else { return nil }
        let lag = Double(max(0, written - confirmed)) / 1000
        guard lag > Self.largestMajorityLag else {
            let rest = lag > 0 ? ", but for the last \(Int(lag.rounded(.up))) s" : ""
            return .good("majority", "A majority of the members has everything\(rest).")
        }
        return .failure(
            "majority", "No majority has confirmed a write for \(Int(lag)) s: every write would wait, and then fail.",
            advice: "Bring the members back that are away, or lag behind.")
    }

    private func members() async throws -> [Diagnosis] {
        let reply: BSONDocument
        do {
            reply = try await client.run(["replSetGetStatus": 1], on: "admin")
        } catch let error as MongoError where error.kind == .unauthorized {
            return [.good("members", "How each member does isn't told to this user; the role clusterMonitor would do.")]
        }
        let members = reply["members"]?.array?.compactMap(\.document) ?? []
        // Primary, secondary, arbiter.
        let unwell = members.filter { ![1, 2, 7].contains($0["state"]?.integer ?? -1) || $0["health"]?.number == 0 }
        guard !unwell.isEmpty else {
            let words = members.count == 1 ? "Its one member is well." : "All \(members.count) members are well."
            return [.good("members", words)]
        }
        let names = unwell.map {
            "\($0["name"]?.string ?? "?"): \(($0["stateStr"]?.string ?? "?").trimming(["(", ")"]))"
        }
        return [
            .warning(
                "members", "Not well: \(names.joined(separator: ", ")).",
                advice: "A write waits for a majority of the members: one more may be too many.")
        ]
    }

    private var transactions: Diagnosis {
        server.hasTransactions
            ? .good("transactions", "There are transactions: a document and its references move at once.")
            : .good(
                "transactions", "There are none on a standalone server: repairs go step by step, each one journalled.")
    }

    private func clock(_ hello: BSONDocument, _ sent: Date, _ received: Date) -> Diagnosis? {
        guard let time = hello["localTime"]?.date else { return nil }
        let server = Double(time) / 1000
        // What lies between question and answer is no difference.
        let ahead = max(0, server - received.timeIntervalSince1970, sent.timeIntervalSince1970 - server)
        guard ahead > Self.largestClockDifference.seconds else {
            return .good("clock", "The server's clock and this machine's agree.")
        }
        let words = Readable.duration(milliseconds: Int64(ahead * 1000))
        return .warning(
            "clock", "The server's clock and this machine's differ by \(words).",
            advice:
                "Set them by one source. The lease goes by the server's alone, so nothing is unsafe; times in logs mislead."
        )
    }
}

/// What the signed-in user may do with the application's collections and this tool's.
private struct Privileges {
    private let actions: Set<String>
    private let database: String

    /// - Parameter list: As `connectionStatus` shows them.
    init(_ list: [BSONDocument], database: String) {
        self.database = database
        let names = DatabaseSchema.chat.collections.map(\.name)
        let each = names.map { name in
            Set(
                list.filter { Self.covers($0["resource"]?.document ?? [:], database, name) }
                    .flatMap { $0["actions"]?.array?.compactMap(\.string) ?? [] })
        }
        // What is about the database stands beside its name alone.
        let whole = list.filter { Self.covers($0["resource"]?.document ?? [:], database, "") }
            .flatMap { $0["actions"]?.array?.compactMap(\.string) ?? [] }
        actions = each.dropFirst().reduce(each.first ?? []) { $0.intersection($1) }.union(whole)
    }

    /// Whether a resource is a collection, or all of its database's
    /// (https://www.mongodb.com/docs/manual/reference/resource-document/).
    private static func covers(_ resource: BSONDocument, _ database: String, _ collection: String) -> Bool {
        if resource["anyResource"]?.bool == true { return true }
        guard let name = resource["db"]?.string, let part = resource["collection"]?.string else { return false }
        return (name.isEmpty || name == database) && (part.isEmpty || part == collection)
    }

    private static let reading: Set = ["find", "listCollections", "listIndexes", "collStats"]
    private static let writing: Set = ["insert", "update", "remove", "createCollection", "createIndex", "dropIndex"]
    private static let administering: Set = ["collMod", "bypassDocumentValidation", "dropCollection"]

    var diagnosis: Diagnosis {
        let missing = { (wanted: Set<String>) in wanted.subtracting(actions).sorted() }
        guard missing(Self.reading).isEmpty else {
            return .failure(
                "privileges",
                "This user may not read all that `check` reads in `\(database)`: \(missing(Self.reading).joined(separator: ", ")).",
                advice: "The role read on `\(database)` is enough for `check`.")
        }
        guard missing(Self.writing).isEmpty else {
            return .warning(
                "privileges", "Enough for `check`, plans and every --dry-run; not for repairs.",
                advice:
                    "`repair` and `seed` need the role readWrite on `\(database)`; `migrate up` and `runs undo` dbAdmin too."
            )
        }
        guard missing(Self.administering).isEmpty else {
            return .warning(
                "privileges",
                "Enough for `check`, `repair` and `seed`; not for `migrate up`, `migrate down`, `runs undo` and `repair guard`.",
                advice:
                    "They need the role dbAdmin on `\(database)` too (\(missing(Self.administering).joined(separator: ", ")))."
            )
        }
        return .good("privileges", "Enough for every command.")
    }
}

extension Duration {
    /// In seconds.
    fileprivate var seconds: Double { Double(milliseconds) / 1000 }
}

extension String {
    /// The text without some characters at its ends.
    fileprivate func trimming(_ characters: Set<Character>) -> String {
        var text = drop { characters.contains($0) }
        while let last = text.last, characters.contains(last) { text.removeLast() }
        return String(text)
    }
}
