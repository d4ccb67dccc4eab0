internal import FoundationEssentials

/// What a command prints: one JSON document, or text for people.
protocol CommandResult: Encodable {
    /// The result in words, line by line: a line break within one is text from elsewhere, and printed as such.
    ///
    /// - Parameter style: How to emphasise.
    func lines(_ style: TextStyle) -> [String]
}

/// Emphasis, where the output is a terminal.
struct TextStyle {
    let usesColor: Bool
    /// The largest number of characters in a line.
    var width = 80

    func good(_ text: String) -> String { paint(text, "32") }
    func bad(_ text: String) -> String { paint(text, "31") }
    func warning(_ text: String) -> String { paint(text, "33") }
    func bold(_ text: String) -> String { paint(text, "1") }
    func faint(_ text: String) -> String { paint(text, "2") }

    private func paint(_ text: String, _ code: String) -> String {
        usesColor ? PlainText.emphasis(code) + text + PlainText.emphasis("0") : text
    }
}

extension Console {
    /// Prints a result in the format that was asked for.
    func print(_ result: some CommandResult, _ format: OutputFormat) throws {
        switch format {
        case .text: try self.result(result.lines(TextStyle(usesColor: usesColor, width: width)), width: width)
        case .json: try self.result(json: result)
        }
    }
}

/// The one way in which results become JSON.
enum JSON {
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return PlainText.json(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}

/// Columns for people: each as wide as its widest cell.
enum TextTable {
    /// Aligns rows; the last column is left as it is.
    ///
    /// - Parameter width: What the lines should fit into: the widest column then goes by its other cells, and what is longer
    ///   sticks out; nil where it doesn't matter.
    static func lines(_ rows: [[String]], indent: String = "  ", width: Int? = nil) -> [String] {
        // As they will be printed, so that their widths are right.
        let rows = rows.map { $0.map(PlainText.line) }
        let columns = rows.map(\.count).max() ?? 0
        var widths = (0..<columns).map { column in
            rows.compactMap { $0.indices.contains(column) ? TextWidth.of($0[column]) : nil }.max() ?? 0
        }
        if let width, let widest = widths.dropLast().max(), let column = widths.firstIndex(of: widest) {
            let excess = indent.count + widths.reduce(0, +) + 2 * max(columns - 1, 0) - width
            if excess > 0 { widths[column] = max(widest - excess, narrowest) }
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1
                    ? cell : cell + String(repeating: " ", count: max(widths[column] - TextWidth.of(cell), 0))
            }
            let line = indent + cells.joined(separator: "  ")
            return String(line.prefix(through: line.lastIndex { $0 != " " } ?? line.startIndex))
        }
    }

    /// With less a column shows nothing.
    private static let narrowest = 16
}
