/// Text in lines of a width.
enum Wrapped {
    /// Breaks a text between words. A word that is longer than a line stays whole.
    ///
    /// - Parameters:
    ///   - text: The text, without line breaks.
    ///   - width: The largest number of characters in a line.
    static func lines(_ text: String, width: Int = 80) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + (line.isEmpty ? [] : [line])
    }
}
