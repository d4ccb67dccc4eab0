/// Text in lines of a width.
enum Wrapped {
    /// Breaks a text between words. A word that is longer than a line stays whole.
    ///
    /// - Parameters:
    ///   - text: The text, without line breaks.
    ///   - width: The largest number of characters in a line.
    ///   - indent: What every line begins with.
    static func lines(_ text: String, width: Int = 80, indent: String = "") -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, indent.count + line.count + 1 + word.count > width {
                lines.append(indent + line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + (line.isEmpty ? [] : [indent + line])
    }
}
