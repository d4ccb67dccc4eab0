internal import InputFiles

/// A file of users: an object with one key, `users`.
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
    /// - Parameter path: The file's path, or `-` for standard input.
    /// - Throws: ``Failure`` when the file can't be read, is cut off, isn't JSON, names a user twice, or has a user whom the
    ///   application's models refuse.
    package static func read(_ path: String) async throws(Failure) -> [SeedUser] {
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
            return try users(in: text)
        } catch {
            throw Failure(description: "\(name) can't be used: \(error). Nothing was changed.", isUnreadable: false)
        }
    }

    /// The users that a text names.
    ///
    /// - Throws: ``SeedObjection``.
    static func users(in text: String) throws(SeedObjection) -> [SeedUser] {
        let root: JSONNode
        do {
            root = try JSONNode(parsing: text)
        } catch {
            throw SeedObjection(error.line, "it isn't whole, valid JSON: \(error.reason)")
        }
        guard case .object(let members) = root.value else {
            throw SeedObjection(root.line, "it is \(root.kind), where \(shape) is wanted")
        }
        if let other = members.first(where: { $0.key != "users" }) {
            throw SeedObjection(other.line, "unknown key `\(other.key)`; wanted is \(shape)")
        }
        guard let list = members.first else { throw SeedObjection(root.line, "it lacks `users`; wanted is \(shape)") }
        guard case .list(let nodes) = list.node.value else {
            throw SeedObjection(list.line, "`users` is \(list.node.kind), where a list is wanted: \(shape)")
        }
        guard !nodes.isEmpty else { throw SeedObjection(list.line, "it names no user") }
        var users: [SeedUser] = []
        for (index, node) in nodes.enumerated() { users.append(try SeedUser(node, at: "users[\(index)]")) }
        try checkDuplicates(users, nodes.map(\.line))
        return users
    }

    private static let shape = #"{"users": [{"username": "bob", "email": "bob@example.com", "password": "…"}]}"#

    /// A login takes a name or an email, so that both must lead to one user.
    private static func checkDuplicates(_ users: [SeedUser], _ lines: [Int]) throws(SeedObjection) {
        var owners: [String: Int] = [:]
        for (index, user) in users.enumerated() {
            for key in [user.username, user.email] {
                guard let owner = owners.updateValue(index, forKey: key.lowercased()), owner != index else { continue }
                throw SeedObjection(
                    lines[index], "`users[\(index)]` names `\(key)` twice, as `users[\(owner)]` does already")
            }
        }
    }
}

/// Why users can't be seeded: the line, the place in the file, and the reason. No value that may be a password is in it.
struct SeedObjection: Error, CustomStringConvertible {
    let description: String

    init(_ line: Int, _ reason: String) { description = "line \(line): \(reason)" }
}
