/// A text of a compose file, or of a file that it names, before its variables are replaced.
struct ComposeText {
    let text: String
    let file: String
    /// Counted from 1; nil where it isn't known.
    let line: Int?
    /// Whether a dollar sign is one.
    var isLiteral = false

    /// Where it stands, for sentences.
    var place: String { Self.place(file, line) }

    /// Such as `The file compose.yaml, line 7`.
    static func place(_ file: String, _ line: Int?) -> String {
        "The file \(file)" + (line.map { ", line \($0)" } ?? "")
    }

    /// The text with its variables replaced, without white space around it.
    ///
    /// - Parameter what: What it is, for the sentence that says why it can't be used.
    /// - Throws: ``Failure``, in whose words the text isn't.
    func filled(_ interpolation: Interpolation, _ what: String) throws -> String {
        if isLiteral { return text.trimmed }
        do {
            return try interpolation.text(text).trimmed
        } catch let problem as Interpolation.Problem {
            throw Failure(.configuration, "\(place): \(what) can't be used: \(problem.reason).")
        }
    }
}
