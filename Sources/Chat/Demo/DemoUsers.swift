/// The users whom demo chats belong to: by number, the same whatever else is made.
enum DemoUsers {
    /// What they all log in with. It is hashed once: their hashes are equal.
    static let password = "demopass123"

    private static let first: [(name: String, login: String)] = [
        ("Ada", "ada"), ("Bruno", "bruno"), ("Chiara", "chiara"), ("Dmitri", "dmitri"), ("Élise", "elise"),
        ("Farid", "farid"), ("Grace", "grace"), ("Hiro", "hiro"), ("Ines", "ines"), ("Jón", "jon"), ("Kavya", "kavya"),
        ("Lucía", "lucia"), ("Miloš", "milos"), ("Noor", "noor"), ("Øyvind", "oyvind"), ("Priya", "priya"),
        ("Quentin", "quentin"), ("Rania", "rania"), ("Søren", "soren"), ("Tomás", "tomas"), ("Uma", "uma"),
        ("Viktor", "viktor"), ("Wen", "wen"), ("Xenia", "xenia"), ("Yara", "yara"), ("Zoë", "zoe"), ("Amara", "amara"),
        ("Björn", "bjorn"), ("Cem", "cem"), ("Dagny", "dagny"),
    ]
    private static let last: [(name: String, login: String)] = [
        ("Abara", "abara"), ("Becker", "becker"), ("Castro", "castro"), ("Dubois", "dubois"), ("Eriksen", "eriksen"),
        ("Fischer", "fischer"), ("García", "garcia"), ("Haddad", "haddad"), ("Ito", "ito"), ("Jansen", "jansen"),
        ("Kowalski", "kowalski"), ("Lindqvist", "lindqvist"), ("Müller", "mueller"), ("Nguyễn", "nguyen"),
        ("O'Neill", "oneill"), ("Popescu", "popescu"), ("Quispe", "quispe"), ("Rossi", "rossi"), ("Sato", "sato"),
        ("Tamm", "tamm"), ("Ueda", "ueda"), ("Varga", "varga"), ("Wang", "wang"), ("Yılmaz", "yilmaz"),
        ("Zhang", "zhang"),
    ]
    /// So many in a hundred may do everything.
    private static let adminEvery = 50

    /// One of them.
    static func user(_ number: Int) -> SeedUser {
        // Whom everybody logs in as has most to see.
        if number < SeedUser.defaults.count { return SeedUser.defaults[number] }
        let first = first[number % first.count]
        let last = last[(number / Self.first.count + number) % Self.last.count]
        let round = number / (Self.first.count * Self.last.count)
        let login = "demo.\(first.login).\(last.login)" + (round == 0 ? "" : "\(round + 1)")
        return SeedUser(
            username: login, email: "\(login)@example.com", password: password,
            fullName: "\(first.name) \(last.name)", role: number % adminEvery == adminEvery - 1 ? .admin : .user)
    }

    /// The first so many.
    static func users(_ count: Int) -> [SeedUser] { (0..<count).map(user) }
}
