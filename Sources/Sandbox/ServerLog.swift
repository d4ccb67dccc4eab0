internal import BSON
internal import MongoDriver

/// What a server says of why it ended.
struct ServerLog {
    private let path: String

    init(_ path: String) { self.path = path }

    /// The last complaint; nil where there is none.
    var reason: String? {
        guard let bytes = SmallFile.readEnd(path) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        let complaints = lines.compactMap(Self.complaint)
        // What was to blame stands before what came of it.
        return complaints.first ?? lines.last.map { String($0.prefix(200)) }
    }

    /// Lines are JSON since version 4.4.
    private static func complaint(_ line: Substring) -> String? {
        guard line.hasPrefix("{") else {
            let fields = line.split(separator: " ", maxSplits: 4)
            guard fields.count == 5, fields[1] == "E" || fields[1] == "F" else { return nil }
            return String(fields[4].prefix(200))
        }
        guard let entry = try? ExtendedJSON.document(String(line)), ["E", "F"].contains(entry["s"]?.string) else {
            return nil
        }
        let message = entry["msg"]?.string ?? ""
        let error = entry.value(at: "attr", "error")
        let text = error?.string ?? error?.document?["errmsg"]?.string ?? entry.value(at: "attr", "message")?.string
        return String((message + (text.map { ": \($0)" } ?? "")).prefix(300))
    }
}
