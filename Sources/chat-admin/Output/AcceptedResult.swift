internal import BSON
internal import Checks
internal import Journal

/// What `check accept`, `accepted` and `unaccept` print: what was accepted, or all that is.
struct AcceptedResult: CommandResult {
    struct Item: Encodable {
        let number: Int64
        let code: String
        let collection: String?
        let field: String?
        /// The documents; nil for all.
        let ids: [JSONValue]?
        let reason: String
        /// Until when; nil for ever.
        let until: String?
        /// What it is about, as people write it.
        fileprivate let subject: String
        /// The last day on which it holds.
        fileprivate let lastDay: String?
        /// Whether its time is over.
        let over: Bool
        let at: String
        let user: String

        private enum CodingKeys: String, CodingKey {
            case number, code, collection, field, ids, reason, until, over, at, user
        }

        init(_ acceptance: Acceptance) {
            number = acceptance.number
            (code, collection, field) = (acceptance.code, acceptance.collection, acceptance.field)
            subject = acceptance.subject
            ids = acceptance.documents?.map(JSONValue.init(of:))
            reason = acceptance.reason
            until = acceptance.until.map(TimeText.iso8601)
            lastDay = acceptance.until.map(TimeText.lastDay)
            over = !acceptance.holds(at: WallClock.milliseconds)
            at = TimeText.iso8601(acceptance.at)
            user = acceptance.user
        }
    }

    let command: String
    let database: String
    let accepted: [Item]
    /// What may not be as it was meant; nil for nothing.
    let warnings: [String]?

    init(command: String, database: String, _ accepted: [Acceptance], warnings: [String] = []) {
        self.command = command
        self.warnings = warnings.isEmpty ? nil : warnings
        self.database = database
        self.accepted = accepted.map(Item.init)
    }

    func lines(_ style: TextStyle) -> [String] {
        guard !accepted.isEmpty else { return ["Nothing is accepted in \(database)."] }
        return TextTable.lines(
            accepted.map { item in
                let until = item.lastDay.map { item.over ? "was accepted until \($0)" : "until \($0)" } ?? "for ever"
                return [
                    "\(item.number)", item.subject,
                    item.ids.map { "\($0.count) document\($0.count == 1 ? "" : "s")" } ?? "all documents",
                    PlainText.tied(until), item.reason,
                ]
            }, indent: "")
    }
}
