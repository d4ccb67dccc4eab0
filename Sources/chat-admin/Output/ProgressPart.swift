/// A part of the line, and what becomes of it where there is little room.
struct ProgressPart {
    let text: String
    /// What is enough where there is little room.
    let short: String
    /// Whether it goes first where there is little room.
    let isDetail: Bool
    /// Whether it goes last.
    let isDispensable: Bool

    init(
        _ text: String, short: (some StringProtocol)? = String?.none, isDetail: Bool = false,
        isDispensable: Bool = false
    ) {
        self.text = text
        self.short = short.map { String($0).trimmed } ?? text
        self.isDetail = isDetail
        self.isDispensable = isDispensable
    }

    /// The parts, as many as fit. The last, which moves, is there in any case.
    static func line(_ parts: [ProgressPart], within width: Int? = nil) -> String {
        let join = { (texts: [String]) in PlainText.line(texts.joined(separator: " · ")) }
        guard let width else { return join(parts.map(\.text)) }
        let needed = parts.filter { !$0.isDetail }
        let forms = [
            parts.map(\.text), needed.map(\.text), needed.map(\.short),
            needed.filter { !$0.isDispensable }.map(\.short),
        ].map(join)
        if let fitting = forms.first(where: { TextWidth.of($0) <= width }) { return fitting }
        var short = forms[forms.count - 1]
        let last = needed.last.map { " · \($0.short)" } ?? ""
        if short.hasSuffix(last) { short.removeLast(last.count) }
        while TextWidth.of(short + last) > width - 1, !short.isEmpty { short.removeLast() }
        return short + "…" + last
    }
}
