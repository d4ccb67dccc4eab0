internal import Chat
internal import Consistency
internal import Journal
internal import Migrations

/// The newest damage, as results show it.
struct DamageResult: Encodable {
    let code: String
    let collection: String
    /// When it was made, as ISO 8601 text.
    let at: String
    /// Whether it is younger than a day: the application seems to have the bug still.
    let recent: Bool
    private let ageMS: Int64
    /// Whether nothing sets the guard any more, because it stands.
    private let hasGuard: Bool
    /// The command that sets it.
    private let command: String

    private enum CodingKeys: String, CodingKey {
        case code, collection, at, recent
    }

    private init(_ damage: NewestDamage, hasGuard: Bool, command: String) {
        code = damage.code.rawValue
        collection = damage.collection
        at = TimeText.iso8601(damage.madeAt)
        recent = damage.isRecent
        ageMS = damage.ageMS
        (self.hasGuard, self.command) = (hasGuard, command)
    }

    /// Looks for the newest damage; nil where there is none whose time is known.
    ///
    /// - Parameters:
    ///   - database: The database.
    ///   - codes: What counts as damage.
    ///   - isKnown: Whether there are references that are text, so that it pays to look further back than a day.
    /// - Throws: `MongoError`, `StateError`.
    static func newest(
        _ database: Database, _ codes: Set<FindingCode> = FindingCode.ofBug, isKnown: Bool
    ) async throws -> DamageResult? {
        let age = DamageAge(database: database, schema: .chat)
        guard let damage = try await age.newest(codes, isKnown: isKnown) else { return nil }
        let stands = try await GuardRepair(database: database, schema: .chat).stands()
        let isLost = stands ? false : try await Installed.made(in: database).contains(.guards)
        return DamageResult(damage, hasGuard: stands, command: isLost ? "repair guard" : "migrate up")
    }

    /// How old it is, and what that means.
    var sentence: String {
        let age = "The newest damaged document (\(code) in \(collection)) is \(Readable.age(milliseconds: ageMS)) old"
        guard recent else { return "\(age)." }
        let consequence =
            hasGuard
            ? "The guard refuses what it inserts with a wrong _id."
            : "Once `\(command)` has set the guard, each of its inserts with a wrong _id fails (error 121)."
        return "\(age): the application seems to have the bug still. \(consequence) \(Self.guide)"
    }

    private static let guide = "docs/fixing-the-application.md shows the fixes that are none, and the one that is."

    /// What has to be known before the guard is set, and, where the damage is recent, asked.
    ///
    /// - Parameter setsGuard: Whether the guard is set now.
    func remark(setsGuard: Bool) -> Remark {
        Remark(text: sentence, answer: recent && setsGuard && !hasGuard ? "guard" : nil)
    }
}
