internal import InputFiles

extension SeedUser {
    private static let keys = ["email", "password", "full_name", "role"]

    /// Reads one user of a list.
    ///
    /// - Parameters:
    ///   - node: What the file says.
    ///   - place: The place in the file, such as `users[0]`.
    /// - Throws: ``SeedObjection``.
    init(_ node: JSONNode, at place: String) throws(SeedObjection) {
        let fields = try SeedFields(node, at: place, keys: ["username"] + Self.keys)
        try self.init(fields, username: fields.text("username"), line: fields.line(of: "username"))
    }

    /// Reads one user of a map from names to users.
    init(_ member: JSONNode.Member, in map: String) throws(SeedObjection) {
        let fields = try SeedFields(member.node, at: "\(map).\(member.key)", keys: Self.keys)
        try self.init(fields, username: member.key, line: member.line)
    }

    private init(_ fields: SeedFields, username: String, line: Int) throws(SeedObjection) {
        self.init(
            username: username, email: try fields.text("email"), password: try fields.text("password"),
            fullName: try fields.optionalText("full_name"), role: try fields.word("role", or: .user))
        if let (key, reason) = objection {
            throw key == "username"
                ? SeedObjection(line, "`\(fields.place).username` \(reason)") : fields.objection(key, reason)
        }
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
    static func objection(toName text: String) -> String? {
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
}
