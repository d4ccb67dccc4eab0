internal import BSON
internal import Journal

/// What `history` prints.
struct HistoryResult: CommandResult {
    /// One thing that was done to the document.
    struct Event: Encodable {
        let run: String
        let command: String?
        let at: String?
        let user: String?
        let host: String?
        let step: Int64?
        let code: String
        let what: String
        let id: JSONValue
        let before: JSONValue?
        let after: JSONValue?
        let state: String
        let undoneBy: String?

        init(_ event: DocumentEvent) {
            run = event.key.run.hex
            command = event.run?.command
            at = event.run?.startedAt.map(TimeText.iso8601)
            user = event.run?.user
            host = event.run?.host
            step = event.step
            code = event.code
            what = event.kind.rawValue
            id = JSONValue(of: event.id)
            before = event.before.map(JSONValue.init)
            after = event.after.map(JSONValue.init)
            state = event.state.rawValue
            undoneBy = event.undoneBy?.hex
        }
    }

    let command = "history"
    let database: String
    let collection: String
    let ids: [JSONValue]
    let events: [Event]
    private let shown: [DocumentEvent]

    private enum CodingKeys: String, CodingKey {
        case command, database, collection, ids, events
    }

    init(database: String, collection: String, _ history: DocumentHistory) {
        self.database = database
        self.collection = collection
        ids = history.ids.map(JSONValue.init(of:))
        events = history.events.map(Event.init)
        shown = history.events
    }

    func lines(_ style: TextStyle) -> [String] {
        guard !events.isEmpty else { return ["The journal knows nothing of it: no run has changed it."] }
        return zip(events, shown).flatMap { event, source -> [String] in
            let step = event.step.map { ", step \($0)" } ?? ""
            let undone = event.undoneBy.map { ", undone by run \($0)" } ?? ""
            let state = event.state == "done" ? "" : ", \(event.state)"
            let heading =
                "\(event.at ?? "?")  run \(event.run) (\(event.command ?? "?")\(step)): \(event.what), \(event.code)"
            return [style.bold(heading + undone + state)] + Self.changes(source)
        }
    }

    /// The changed fields, a line each.
    private static func changes(_ event: DocumentEvent) -> [String] {
        func line(_ name: String, _ before: BSONValue?, _ after: BSONValue?) -> String {
            "    \(name): \(text(name, before)) -> \(text(name, after))"
        }
        if event.kind == .moved { return [line("_id", event.id, event.newID)] }
        let subject = "    _id: \(text("_id", event.id))"
        guard event.kind == .changed else { return [subject] }
        guard let before = event.before, let after = event.after else {
            return [subject + "; the journal holds what it was before"]
        }
        let names = before.keys + after.keys.filter { before[$0] == nil }
        return [subject] + names.filter { before[$0] != after[$0] }.map { line($0, before[$0], after[$0]) }
    }

    private static func text(_ name: String, _ value: BSONValue?) -> String {
        guard let value else { return "(none)" }
        // Whoever looks over a shoulder has no business with it.
        guard !name.lowercased().contains("password") else { return "(not shown)" }
        return JSONValue(of: value).text.excerpt(maximumCharacters: longestValue)
    }

    private static let longestValue = 60
}
