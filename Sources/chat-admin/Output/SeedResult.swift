internal import Chat
internal import Journal

/// What seeding has made and found: what `seed` prints beside what every change prints.
struct SeedResult: Encodable {
    /// One user, without the password.
    struct User: Encodable {
        let username: String
        let email: String
        let role: String
        /// `made`, `kept`, `completed`, `updated` or `different`.
        let state: String
        /// The fields that differ, or differed.
        let fields: [String]

        init(_ seeded: SeededUser) {
            username = seeded.user.username
            email = seeded.user.email
            role = seeded.user.role.rawValue
            state = seeded.state.rawValue
            fields = seeded.fields
        }
    }

    /// The users, each with how it stands.
    let users: [User]
    /// How to log in: names, with passwords that everybody can read in this project.
    let logins: [String: String]

    /// How many sessions, messages and artifacts were there already, and right.
    let kept: [String: Int]
    /// What made-up texts, and salts, began with.
    let seed: UInt64
    /// What was taken for now.
    let now: String

    /// The chats that were made up; nil for none.
    let demo: Demo?
    /// What a check has to find, where the chats are broken; nil where they aren't.
    let truth: [DemoTruth]?

    /// The sizes of made-up chats, and their kind.
    struct Demo: Encodable {
        let scenario: String
        let users: Int
        let sessions: Int
        let messages: Int
        let artifacts: Int
        /// Whom to log in as.
        let login: String?
    }

    /// - Parameter named: How many of the users are shown one by one; the others are those of demo chats.
    init(
        _ plan: Seeder.Plan, _ settings: SeedSettings, named: Int, _ recipe: DemoRecipe?, _ outcome: DemoSeeder.Outcome?
    ) {
        let all = plan.seeded
        let users = Array(all.prefix(named))
        kept = plan.kept.merging(outcome?.kept ?? [:], uniquingKeysWith: +)
        truth = outcome.flatMap { $0.truth.isEmpty ? nil : $0.truth }
        demo = recipe.map { recipe in
            let first = all.first { $0.canLogIn && $0.user.password == SeedUser.demoPassword }
            return Demo(
                scenario: recipe.scenario.rawValue, users: recipe.users, sessions: recipe.sessions,
                messages: recipe.messages, artifacts: recipe.artifacts, login: first?.user.username)
        }
        seed = settings.seed
        now = TimeText.iso8601(outcome?.now ?? settings.now)
        self.users = users.map(User.init)
        // Also those whom chats belong to, though nobody named them.
        let owners = all.dropFirst(named).filter { $0.user.password != SeedUser.demoPassword }
        let known = (users + owners).filter { $0.canLogIn && SeedUser.publicPasswords.contains($0.user.password) }
        var logins = Dictionary(
            known.map { ($0.user.username, $0.user.password) }, uniquingKeysWith: { first, _ in first })
        if let login = demo?.login { logins[login] = SeedUser.demoPassword }
        self.logins = logins
    }

    /// More users aren't named one by one to people.
    private static let mostUsers = 20

    /// The table of users, and how to log in.
    ///
    /// - Parameters:
    ///   - place: The server and the database.
    ///   - dryRun: Whether nothing was written.
    func lines(_ place: String, dryRun: Bool, _ style: TextStyle) -> [String] {
        guard !users.isEmpty else { return [] }
        var lines = [style.bold("Users in \(place):")]
        lines += TextTable.lines(
            users.prefix(Self.mostUsers).map { user in
                [user.username, user.email, user.role, state(of: user, dryRun: dryRun)]
            })
        if users.count > Self.mostUsers { lines.append("  and \(Readable.count(users.count - Self.mostUsers)) more") }
        let known = logins.keys.filter { $0 != demo?.login }.sorted().prefix(Self.mostLogins)
        if !known.isEmpty, !dryRun {
            lines.append(
                "Log in as "
                    + known.map { PlainText.tied("\($0) / \(logins[$0] ?? "")") }
                    .joined(separator: ", ") + ".")
        }
        if let demo {
            let sizes = [(demo.sessions, "session"), (demo.messages, "message"), (demo.artifacts, "artifact")]
            lines.append(
                "Chats (\(demo.scenario)): " + sizes.map(Readable.counted).joined(separator: ", ")
                    + " of \(Readable.counted(demo.users, "user")).")
            if let login = demo.login {
                lines.append(
                    "All who are called demo.… have one password: "
                        + PlainText.tied("\(login) / \(SeedUser.demoPassword)") + ".")
            }
        }
        let kept = kept.filter { $0.value > 0 }
        if !kept.isEmpty {
            let counts = kept.sorted { $0.key < $1.key }.map { "\(Readable.count($0.value)) \($0.key)" }
            lines.append("Kept \(counts.joined(separator: ", ")).")
        }
        return lines
    }

    /// So many logins are enough to begin with.
    private static let mostLogins = 3

    private func state(of user: User, dryRun: Bool) -> String {
        let isPlanned = dryRun && ["made", "completed", "updated"].contains(user.state)
        let fields = user.fields.isEmpty ? "" : ": \(user.fields.joined(separator: ", "))"
        return (isPlanned ? "to be \(user.state)" : user.state) + fields
    }
}
