internal import BSON
internal import Logging

/// Text from elsewhere, made harmless for a terminal: nothing in it moves the cursor, begins a line, rings, changes a
/// window's title, or turns the order of what follows.
enum PlainText {
    /// One line as it is printed: what isn't text is written out, as `\u001b` or `\n`, and a line without end is cut.
    static func line(_ text: String) -> String {
        let isLong = text.utf8.count > longestLine
        guard isLong || text.unicodeScalars.contains(where: { isControl($0) || $0 == mark || $0 == tie }) else {
            return text
        }
        var line = ""
        var code: String?
        var isEmphasised = false
        for scalar in text.unicodeScalars.prefix(longestLine) {
            if scalar == mark {
                // Behind the second mark the emphasis begins, or ends.
                if let begun = code {
                    line += "\u{1B}[\(begun)m"
                    isEmphasised = begun != "0"
                }
                code = code == nil ? "" : nil
            } else if scalar == tie {
                line += " "
            } else if code != nil {
                code?.unicodeScalars.append(scalar)
            } else if isControl(scalar) {
                line += written(scalar)
            } else {
                line.unicodeScalars.append(scalar)
            }
        }
        guard isLong, text.unicodeScalars.count > longestLine else { return line }
        return line + "…" + (isEmphasised ? "\u{1B}[0m" : "")
    }

    /// JSON with everything that isn't text written as `\u001b`, and with texts of bounded length: of a longer one the
    /// beginning and an ellipsis.
    static func json(_ json: String) -> String {
        var result = ""
        result.reserveCapacity(json.utf8.count)
        var isText = false
        var length = 0
        // How much of a character that is written as several is still to come: `\n`, `\u001b`.
        var rest = 0
        var isBehindBackslash = false
        for scalar in json.unicodeScalars {
            guard isText else {
                (isText, length) = (scalar == "\"", 0)
                result.unicodeScalars.append(scalar)
                continue
            }
            if rest > 0 {
                rest = isBehindBackslash && scalar == "u" ? 4 : rest - 1
                isBehindBackslash = false
            } else if scalar == "\"" {
                isText = false
                result += length > longestText ? "…\"" : "\""
                continue
            } else {
                length += 1
                if scalar == "\\" { (rest, isBehindBackslash) = (1, true) }
            }
            guard length <= longestText else { continue }
            if isControl(scalar) { result += unit(scalar) } else { result.unicodeScalars.append(scalar) }
        }
        return result
    }

    /// Begins or ends emphasis within a line. The mark is made anew by each process: no text from elsewhere holds it.
    static func emphasis(_ code: String) -> String { "\(mark)\(code)\(mark)" }

    /// Keeps a line from being broken within some words, such as a command to be typed.
    static func tied(_ text: String) -> String { text.replacing(" ", with: "\(tie)") }

    /// The words that are tied, and the spaces between them: for a line that is shorter than all of them.
    static func untied(_ text: Substring) -> [Substring] {
        var words: [Substring] = []
        for word in text.split(separator: Character(tie), omittingEmptySubsequences: false) {
            words += (words.isEmpty ? [] : [" "]) + [word]
        }
        return words
    }

    /// Stands for a space at which no line is broken.
    private static let tie: Unicode.Scalar = {
        let other = Unicode.Scalar(mark.value == 0xF_0000 ? 0xF_0001 : mark.value - 1)
        return other ?? "\u{F0001}"
    }()

    /// The text without its emphasis.
    static func withoutEmphasis(_ text: some StringProtocol) -> String {
        guard text.unicodeScalars.contains(mark) else { return String(text) }
        var plain = ""
        var isCode = false
        for scalar in text.unicodeScalars {
            if scalar == mark {
                isCode.toggle()
            } else if !isCode {
                plain.unicodeScalars.append(scalar)
            }
        }
        return plain
    }

    /// One of the 131,068 characters of the planes for private use.
    private static let mark: Unicode.Scalar = {
        let plane: UInt32 = Bool.random() ? 0xF_0000 : 0x10_0000
        return Unicode.Scalar(plane + UInt32.random(in: 0...0xFFFD)) ?? "\u{F0000}"
    }()

    /// Longer than any line of this tool's own.
    private static let longestLine = 4000
    /// In characters; a filter or a list of reasons may be long.
    private static let longestText = 16_384

    /// Control characters, line and paragraph separators, and what has no shape but an effect on the order of others, or
    /// none at all, so that a name looks like another one. Joiners stay: scripts need them.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00..<0x20, 0x7F..<0xA0: true
        case ..<0x7F: false
        case 0x061C, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB: true
        case 0xE0000...0xE007F: true
        default: false
        }
    }

    private static func written(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default: unit(scalar)
        }
    }

    /// As JSON writes it: in units of UTF-16.
    private static func unit(_ scalar: Unicode.Scalar) -> String {
        Character(scalar).utf16.map { unit in
            let digits = String(unit, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }.joined()
    }
}

/// Writes log lines for a terminal: what comes from a server or a database can't be more than text.
struct PlainLogHandler: LogHandler {
    private var handler: any LogHandler
    private let making: @Sendable () -> Void

    /// Writes to another handler.
    ///
    /// - Parameter making: Makes room for a line.
    init(_ handler: any LogHandler, making: @escaping @Sendable () -> Void = {}) {
        (self.handler, self.making) = (handler, making)
    }

    /// A logger for the terminal.
    ///
    /// - Parameters:
    ///   - level: What is worth a line.
    ///   - making: Makes room for a line.
    static func logger(_ level: Logger.Level, making: @escaping @Sendable () -> Void = {}) -> Logger {
        var logger = Logger(label: "chat-admin") { label in
            PlainLogHandler(StreamLogHandler.standardError(label: label), making: making)
        }
        logger.logLevel = level
        return logger
    }

    var logLevel: Logger.Level {
        get { handler.logLevel }
        set { handler.logLevel = newValue }
    }

    var metadata: Logger.Metadata {
        get { handler.metadata }
        set { handler.metadata = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { handler[metadataKey: key] }
        set { handler[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) {
        var event = event
        event.message = "\(PlainText.line("\(event.message)"))"
        event.metadata = event.metadata.map(Self.plain)
        if let error = event.error {
            event.metadata = (event.metadata ?? [:]).merging(["error": .string(PlainText.line("\(error)"))]) { $1 }
            event.error = nil
        }
        making()
        handler.log(event: event)
    }

    private static func plain(_ metadata: Logger.Metadata) -> Logger.Metadata {
        metadata.reduce(into: [:]) { $0[PlainText.line($1.key)] = .string(PlainText.line("\($1.value)")) }
    }
}
