internal import Checks
internal import Consistency
internal import Journal

/// One line of `check --watch`: a finding that is new, or right again.
struct WatchLine: CommandResult {
    let command = "check"
    /// `new` or `resolved`.
    let event: String
    let at: String
    let database: String
    let code: String
    let severity: String
    let collection: String
    let field: String?
    /// How many documents.
    let count: Int
    /// Identifying fields of some of them; nil for what is right again.
    let samples: [JSONValue]?
    let repair: String?

    init(_ news: WatchedFindings.News, _ database: String, at now: Int64) {
        (event, at, self.database) = (news.isResolved ? "resolved" : "new", TimeText.iso8601(now), database)
        (code, severity, count) = (news.name.code, news.severity.rawValue, news.count)
        (collection, field, repair) = (news.name.collection, news.name.field, news.repair)
        samples = news.isResolved ? nil : news.samples.map(JSONValue.init)
    }

    func lines(_ style: TextStyle) -> [String] {
        let place = Readable.place(collection, field)
        let what = "\(Readable.count(count)) \(code) of \(place)"
        guard let samples else { return [style.good("\(at)  right again: \(what)")] }
        let shown = JSONValue.shown(samples, of: count).map(\.text).joined(separator: ", ")
        let text =
            "\(at)  new: \(what)" + (shown.isEmpty ? "" : " (\(count > samples.count ? "such as " : "")\(shown))")
            + (repair.map { " -> \($0)" } ?? "")
        return [severity == "error" ? style.bad(text) : style.warning(text)]
    }
}
