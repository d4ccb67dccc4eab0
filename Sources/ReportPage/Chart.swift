/// Charts as SVG. They stretch with the page; text stands beside them.
///
/// Pure functions of numbers. Colours are classes, which the page's style gives to light and dark.
enum Chart {
    /// What one cell of a heat map shows.
    enum Cell: Sendable, Equatable {
        /// No check was there.
        case gap
        /// A check didn't look at everything; and what is told when somebody points there.
        case failed(String)
        /// So many documents, and what is told when somebody points there.
        case count(Int, String)
    }

    /// One line of a heat map.
    ///
    /// - Parameters:
    ///   - cells: From left to right.
    ///   - most: The largest number in the whole map, which is the darkest.
    ///   - label: What it is, for those who can't see it.
    static func heatStrip(_ cells: [Cell], most: Int, label: String) -> String {
        // By shares of the width: a cross keeps its shape, however narrow its cell is.
        let width = 100 / Double(max(cells.count, 1))
        func share(_ columns: Double) -> String { "\((columns * width * 1000).rounded() / 1000)%" }
        var (marks, crosses) = ("", "")
        for (column, cell) in cells.enumerated() {
            switch cell {
            case .gap: continue
            case .failed(let words):
                let path = "d=\"M-4-4L4 4M4-4L-4 4\"/>"
                crosses +=
                    "<svg x=\"\(share(Double(column) + cellWidth / 2))\" y=\"50%\"><title>\(escaped(words))</title>"
                    + "<path class=\"halo\" \(path)<path class=\"cross\" \(path)</svg>"
            case .count(let count, let words):
                marks +=
                    "<rect class=\"h\(level(count, of: most))\" x=\"\(share(Double(column)))\" "
                    + "width=\"\(share(cellWidth))\" height=\"100%\"><title>\(escaped(words))</title></rect>"
            }
        }
        // A cross may be wider than its cell: it lies above the others.
        return svg("class=\"heat\"", label, marks + crosses)
    }

    /// How much of its column a cell takes.
    private static let cellWidth = 0.9

    /// How dark a cell is, from 0 for nothing to 5, by its logarithm: one and a thousand can both be seen.
    static func level(_ count: Int, of most: Int) -> Int {
        guard count > 0 else { return 0 }
        guard most > 1 else { return 5 }
        var (steps, limit) = (1, 1.0)
        let factor = root(Double(most))
        while steps < 5, limit * factor * (1 + 1e-9) < Double(count) {
            limit *= factor
            steps += 1
        }
        return count >= most ? 5 : steps
    }

    /// The fifth root, by Newton's method.
    private static func root(_ value: Double) -> Double {
        var guess = max(value / 5, 1)
        for _ in 0..<200 {
            guess -= (guess * guess * guess * guess * guess - value) / (5 * guess * guess * guess * guess)
        }
        return guess
    }

    /// A line over time.
    ///
    /// - Parameters:
    ///   - values: From left to right; nil breaks the line.
    ///   - most: The value at the upper edge; 0 is at the lower one.
    ///   - label: What it is, for those who can't see it.
    static func line(_ values: [Double?], most: Double, label: String) -> String {
        let width = max(values.count - 1, 1) * 10
        func point(_ column: Int, _ value: Double) -> String {
            let x = values.count == 1 ? 5 : column * 10
            let y = most > 0 ? 38 - value / most * 36 : 38
            return "\(x) \((y * 100).rounded() / 100)"
        }
        var (path, dots) = ("", "")
        var isDrawing = false
        for (column, value) in values.enumerated() {
            guard let value else {
                isDrawing = false
                continue
            }
            let isAlone = !isDrawing && (column + 1 >= values.count || values[column + 1] == nil)
            // A line of no length is drawn as a dot by its round ends.
            if isAlone {
                dots += "M\(point(column, value))L\(point(column, value))"
            } else {
                path += (isDrawing ? "L" : "M") + point(column, value)
            }
            isDrawing = true
        }
        return svg(
            "class=\"line\" viewBox=\"0 0 \(width) 40\" preserveAspectRatio=\"none\"", label,
            "<path d=\"\(path)\"/><path class=\"dots\" d=\"\(dots)\"/>")
    }

    private static func svg(_ attributes: String, _ label: String, _ content: String) -> String {
        "<svg \(attributes) role=\"img\" aria-label=\"\(escaped(label))\">\(content)</svg>"
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
    }
}
