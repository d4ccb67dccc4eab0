internal import InputFiles

extension SeedUser {
    private static let keys = ["username", "email", "password", "full_name", "role"]

    /// Reads one user of a file; unknown keys are refused, so that a misspelt one isn't lost.
    ///
    /// - Parameters:
    ///   - node: What the file says.
    ///   - place: The place in the file, such as `users[0]`.
    /// - Throws: ``SeedObjection``.
    init(_ node: JSONNode, at place: String) throws(SeedObjection) {
        guard case .object(let members) = node.value else {
            throw SeedObjection(node.line, "`\(place)` is \(node.kind), where an object is wanted")
        }
        if let unknown = members.first(where: { !Self.keys.contains($0.key) }) {
            let near = NearestName.of(unknown.key, among: Self.keys).map { ", which is perhaps `\($0)`" } ?? ""
            throw SeedObjection(unknown.line, "`\(place)` has the unknown key `\(unknown.key)`\(near)")
        }
        let fields = Fields(members: members, place: place, line: node.line)
        let user = try SeedUser(
            username: fields.text("username"), email: fields.text("email"), password: fields.text("password"),
            fullName: fields.optionalText("full_name"), role: fields.role())
        if let (key, reason) = user.objection {
            throw SeedObjection(fields.line(of: key), "`\(place).\(key)` \(reason)")
        }
        self = user
    }

    /// What the application's models, its login or bcrypt would refuse about this user: the field, and why; nil where
    /// there is nothing.
    var objection: (field: String, reason: String)? {
        for (key, text) in [("username", username), ("full_name", fullName)] {
            if let reason = Self.objection(toName: text) { return (key, reason) }
        }
        if let reason = EmailAddress.objection(to: email) { return ("email", reason) }
        if password.allSatisfy(\.isWhitespace) { return ("password", "is empty") }
        if password.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
            return ("password", "has a control character in it, which nobody can type")
        }
        if password.utf8.count > PasswordHash.maximumBytes {
            return ("password", "has more than \(PasswordHash.maximumBytes) bytes, which is all that bcrypt reads")
        }
        return nil
    }

    /// Names are found by exact match, so that what nobody sees mustn't be in them.
    private static func objection(toName text: String) -> String? {
        if text.allSatisfy(\.isWhitespace) { return "is empty" }
        if text.first?.isWhitespace == true || text.last?.isWhitespace == true {
            return "begins or ends with white space"
        }
        let isInvisible = text.unicodeScalars.contains { scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse: true
            // Joiners make one sign of several in some scripts and in emoji.
            case .format: scalar != "\u{200C}" && scalar != "\u{200D}"
            default: false
            }
        }
        return isInvisible ? "has a character in it that nobody sees, such as a line break" : nil
    }

    /// The members of one user.
    private struct Fields {
        let members: [JSONNode.Member]
        let place: String
        /// Where the user begins.
        let line: Int

        func line(of key: String) -> Int { member(key)?.line ?? line }

        private func member(_ key: String) -> JSONNode.Member? { members.first { $0.key == key } }

        func text(_ key: String) throws(SeedObjection) -> String {
            guard member(key) != nil else { throw SeedObjection(line, "`\(place)` lacks `\(key)`") }
            guard let text = try optionalText(key) else {
                throw SeedObjection(line(of: key), "`\(place).\(key)` is null, where text is wanted")
            }
            return text
        }

        /// Text, or nil for what is left out or null.
        func optionalText(_ key: String) throws(SeedObjection) -> String? {
            guard let member = member(key) else { return nil }
            switch member.node.value {
            case .text(let text): return text
            case .null: return nil
            default:
                throw SeedObjection(member.line, "`\(place).\(key)` is \(member.node.kind), where text is wanted")
            }
        }

        func role() throws(SeedObjection) -> Role {
            guard let text = try optionalText("role") else { return .user }
            guard let role = Role(rawValue: text) else {
                let roles = Role.allCases.map { "`\($0.rawValue)`" }.joined(separator: " or ")
                throw SeedObjection(line(of: "role"), "`\(place).role` has to be \(roles)")
            }
            return role
        }
    }
}
