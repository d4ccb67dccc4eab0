internal import FoundationEssentials

/// What a server says of why it ended.
struct ServerLog {
    private let path: String

    init(_ path: String) { self.path = path }

    /// What it complained of in its last run; nil where it has said nothing.
    var reason: String? {
        guard let bytes = SmallFile.readEnd(path) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        // The log goes on with each run.
        let start = lines.lastIndex { $0.contains("\"MongoDB starting\"") || $0.contains("MongoDB starting :") }
        let last = lines[(start ?? lines.startIndex)...]
        // What was to blame stands before what came of it.
        return last.lazy.compactMap(Self.complaint).first ?? lines.last.map { String($0.prefix(200)) }
    }

    /// Whether it ended because another server has its data: that error's name stands in all versions' logs.
    var isOfDataInUse: Bool { reason?.contains("DBPathInUse") ?? false }

    /// A line since version 4.4. As Extended JSON it can't be read: libbson doesn't take its time's `+00:00`.
    private struct Entry: Decodable {
        struct Attributes: Decodable {
            let error: Text?
            let message: String?

            private enum CodingKeys: String, CodingKey { case error, message }

            /// Other messages have something else by these names.
            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: CodingKeys.self)
                error = try? container.decode(Text.self, forKey: .error)
                message = try? container.decode(String.self, forKey: .message)
            }
        }

        /// Text, or an error as replies have them.
        enum Text: Decodable {
            case text(String)

            private enum CodingKeys: String, CodingKey { case errmsg }

            init(from decoder: any Decoder) throws {
                if let text = try? decoder.singleValueContainer().decode(String.self) {
                    self = .text(text)
                } else {
                    self = .text(try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .errmsg))
                }
            }
        }

        let s: String
        let msg: String
        let attr: Attributes?
    }

    private static func complaint(_ line: Substring) -> String? {
        guard line.hasPrefix("{") else {
            let fields = line.split(separator: " ", maxSplits: 4)
            guard fields.count == 5, fields[1] == "E" || fields[1] == "F" else { return nil }
            return String(fields[4].prefix(200))
        }
        guard let entry = try? JSONDecoder().decode(Entry.self, from: Data(line.utf8)), ["E", "F"].contains(entry.s)
        else { return nil }
        let text: String? =
            if case .text(let error)? = entry.attr?.error { error } else { entry.attr?.message }
        return String((entry.msg + (text.map { ": \($0)" } ?? "")).prefix(300))
    }
}
