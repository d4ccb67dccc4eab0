internal import InputFiles

/// Reads the sessions and messages of a file.
struct ChatReader {
    private let users: Set<String>
    private let now: Int64

    /// - Parameters:
    ///   - set: The file's users.
    ///   - now: What is taken for now.
    init(set: SeedSet, now: Int64) {
        users = Set(set.users.map(\.username))
        self.now = now
    }

    /// More messages are a demo's: all of a file's are in memory at once.
    private static let (mostOfSession, mostInAll) = (10_000, 100_000)

    /// Adds what a file says.
    func read(_ members: [JSONNode.Member], into set: inout SeedSet) throws(SeedObjection) {
        if let member = members.first(where: { $0.key == "chat_sessions" }), !member.node.isNull {
            guard case .object(let sessions) = member.node.value else {
                throw SeedObjection(
                    member.line,
                    "`chat_sessions` is \(member.node.kind), where a map from names to sessions is wanted, such as "
                        + "`roadmap: {user: bob, title: Roadmap}`")
            }
            for session in sessions { set.sessions.append(try self.session(session)) }
            let total = set.sessions.reduce(0) { $0 + $1.messages }
            guard total <= Self.mostInAll else {
                throw SeedObjection(
                    member.line,
                    "`chat_sessions` asks for \(total) messages, more than \(Self.mostInAll); "
                        + "that many are made as demo data")
            }
        }
        if let member = members.first(where: { $0.key == "messages" }), !member.node.isNull {
            guard case .list(let messages) = member.node.value else {
                throw SeedObjection(
                    member.line,
                    "`messages` is \(member.node.kind), where a list of messages is wanted, such as "
                        + "`- {session: roadmap, role: user, content: Hello}`")
            }
            let sessions = Dictionary(uniqueKeysWithValues: set.sessions.map { ($0.name, $0) })
            for (index, node) in messages.enumerated() {
                set.messages.append(try message(node, "messages[\(index)]", sessions))
            }
        }
    }

    private func session(_ member: JSONNode.Member) throws(SeedObjection) -> SeedSession {
        let place = "chat_sessions.\(member.key)"
        if let reason = SeedUser.objection(toName: member.key) {
            throw SeedObjection(member.line, "`\(place)` \(reason)")
        }
        let fields = try SeedFields(
            member.node, at: place, keys: ["user", "title", "created", "deleted", "messages"])
        let user = try fields.text("user")
        guard users.contains(user) else {
            let near = NearestName.of(user, among: users.sorted()).map { "; perhaps `\($0)` is meant" } ?? ""
            throw fields.objection("user", "names `\(user)`, who isn't among the file's users\(near)")
        }
        return SeedSession(
            name: member.key, user: user, title: try fields.optionalText("title") ?? member.key,
            created: try past("created", fields) ?? .before(86_400_000), isDeleted: try fields.flag("deleted"),
            messages: try fields.count("messages", upTo: Self.mostOfSession))
    }

    private func message(
        _ node: JSONNode, _ place: String, _ sessions: [String: SeedSession]
    ) throws(SeedObjection) -> SeedMessage {
        let fields = try SeedFields(node, at: place, keys: ["session", "role", "content", "created", "deleted"])
        let name = try fields.text("session")
        guard let session = sessions[name] else {
            let near = NearestName.of(name, among: sessions.keys.sorted()).map { "; perhaps `\($0)` is meant" } ?? ""
            throw fields.objection("session", "names `\(name)`, which isn't among the file's sessions\(near)")
        }
        let created = try past("created", fields)
        if let created, created.milliseconds(now) < session.created.milliseconds(now) {
            throw fields.objection("created", "is before its session's `created`")
        }
        return SeedMessage(
            session: name, role: try fields.word("role", or: .user), content: try fields.text("content"),
            created: created, isDeleted: try fields.flag("deleted"))
    }

    private func past(_ key: String, _ fields: SeedFields) throws(SeedObjection) -> SeedTime? {
        let time = try fields.time(key)
        if let time, time.milliseconds(now) > now { throw fields.objection(key, "is later than now") }
        return time
    }
}

extension JSONNode {
    fileprivate var isNull: Bool {
        if case .null = value { true } else { false }
    }
}
