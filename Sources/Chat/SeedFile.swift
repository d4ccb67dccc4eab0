internal import InputFiles

/// A file of users and their chats, in JSON or YAML.
package enum SeedFile {
    /// Why a file can't be used.
    package struct Failure: Error, CustomStringConvertible {
        /// What is wrong, and where; no value of the file is in it, for values are passwords.
        package let description: String
        /// Whether the file couldn't be read at all.
        package let isUnreadable: Bool
    }

    /// The most bytes of a file: some ten thousand users, whose passwords would take hours to hash.
    private static let limit = 8 << 20

    /// Reads a file whole before anything is done with it.
    ///
    /// - Parameters:
    ///   - path: The file's path, or `-` for standard input.
    ///   - now: What is taken for now, in milliseconds since 1970: nothing in the file is later.
    /// - Throws: ``Failure`` when the file can't be read, is cut off, is neither JSON nor YAML, names a user twice, or has a
    ///   user whom the application's models refuse.
    package static func read(_ path: String, now: Int64) async throws(Failure) -> SeedSet {
        let name = path == "-" ? "Standard input" : "The file \(path)"
        let text: String
        do {
            text = try await InputFile.readText(path, limit: limit)
        } catch {
            let isUnreadable = error.kind != .encoding && error.kind != .tooLarge
            throw Failure(
                description: "\(name) can't be read: \(error). Nothing was changed.", isUnreadable: isUnreadable)
        }
        do {
            return try set(in: text, isYAML: isYAML(path, text), now: now)
        } catch {
            throw Failure(description: "\(name) can't be used: \(error). Nothing was changed.", isUnreadable: false)
        }
    }

    /// What the file's name says, or else what it begins with.
    private static func isYAML(_ path: String, _ text: String) -> Bool {
        let name = path.lowercased()
        if name.hasSuffix(".yaml") || name.hasSuffix(".yml") { return true }
        guard !name.hasSuffix(".json"), let first = text.first(where: { !$0.isWhitespace }) else { return false }
        return first != "{" && first != "["
    }

    /// What a text describes.
    ///
    /// - Throws: ``SeedObjection``.
    static func set(in text: String, isYAML: Bool, now: Int64) throws(SeedObjection) -> SeedSet {
        let root: JSONNode
        do {
            root = try isYAML ? JSONNode(parsingYAML: text) : JSONNode(parsing: text)
        } catch {
            throw SeedObjection(error.line, "it can't be read as \(isYAML ? "YAML" : "JSON"): \(error.reason)")
        }
        let example = isYAML ? yamlExample : jsonExample
        guard case .object(let members) = root.value else {
            throw SeedObjection(root.line, "it is \(root.kind), where \(example) is wanted")
        }
        let keys = ["users", "chat_sessions", "messages"]
        if let other = members.first(where: { !keys.contains($0.key) }) {
            let near = NearestName.of(other.key, among: keys).map { ", which is perhaps `\($0)`" } ?? ""
            throw SeedObjection(other.line, "unknown key `\(other.key)`\(near); wanted is \(example)")
        }
        guard let first = members.first(where: { $0.key == "users" }) else {
            throw SeedObjection(root.line, "it lacks `users`; wanted is \(example)")
        }
        var set = SeedSet(users: try users(first, example))
        try ChatReader(set: set, now: now).read(members, into: &set)
        return set
    }

    private static let jsonExample = #"{"users": {"bob": {"email": "bob@example.com", "password": "…"}}}"#
    private static let yamlExample = "`users: {bob: {email: bob@example.com, password: …}}`"

    /// The users: a map from their names, or a list.
    private static func users(_ member: JSONNode.Member, _ example: String) throws(SeedObjection) -> [SeedUser] {
        var users: [SeedUser] = []
        var lines: [(line: Int, place: String)] = []
        switch member.node.value {
        case .object(let members):
            for user in members {
                users.append(try SeedUser(user, in: "users"))
                lines.append((user.line, "users.\(user.key)"))
            }
        case .list(let nodes):
            for (index, node) in nodes.enumerated() {
                users.append(try SeedUser(node, at: "users[\(index)]"))
                lines.append((node.line, "users[\(index)]"))
            }
        default:
            throw SeedObjection(
                member.line, "`users` is \(member.node.kind), where a map or a list is wanted: \(example)")
        }
        guard !users.isEmpty else { throw SeedObjection(member.line, "it names no user") }
        try checkDuplicates(users, lines)
        return users
    }

    /// A login takes a name or an email, so that both must lead to one user.
    private static func checkDuplicates(
        _ users: [SeedUser], _ lines: [(line: Int, place: String)]
    ) throws(SeedObjection) {
        var owners: [String: Int] = [:]
        for (index, user) in users.enumerated() {
            for key in [user.username, user.email] {
                guard let owner = owners.updateValue(index, forKey: key.lowercased()), owner != index else { continue }
                throw SeedObjection(
                    lines[index].line,
                    "`\(lines[index].place)` names `\(key)` twice, as `\(lines[owner].place)` does already")
            }
        }
    }
}

/// Why a file can't be seeded: the line, the place in the file, and the reason. No value that may be a password is in it.
struct SeedObjection: Error, CustomStringConvertible {
    let description: String

    init(_ line: Int, _ reason: String) { description = "line \(line): \(reason)" }
}
