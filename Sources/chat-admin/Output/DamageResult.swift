internal import Consistency

/// The newest damage, as results show it.
struct DamageResult: Encodable {
    let code: String
    let collection: String
    /// When it was made, as ISO 8601 text.
    let at: String
    /// Whether it is younger than a day: the application seems to have the bug still.
    let recent: Bool
    private let ageMS: Int64

    private enum CodingKeys: String, CodingKey {
        case code, collection, at, recent
    }

    init(_ damage: NewestDamage) {
        code = damage.code.rawValue
        collection = damage.collection
        at = TimeText.iso8601(damage.madeAt)
        recent = damage.isRecent
        ageMS = damage.ageMS
    }

    /// How old it is, and what that means.
    ///
    /// - Parameter hasGuard: Whether the guard was set already.
    func sentence(hasGuard: Bool) -> String {
        let age = "The newest damaged document (\(code) in \(collection)) is \(Readable.age(milliseconds: ageMS)) old"
        guard recent else { return "\(age)." }
        let consequence =
            hasGuard
            ? "The guard refuses what it inserts with a wrong _id."
            : "Once `migrate up` has set the guard, each of its inserts with a wrong _id fails (error 121)."
        return "\(age): the application seems to have the bug still. \(consequence) \(Self.guide)"
    }

    private static let guide = "docs/fixing-the-application.md shows the fixes that are none, and the one that is."
}
