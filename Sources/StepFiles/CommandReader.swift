internal import BSON
internal import InputFiles

/// Reads an array of commands in Extended JSON: all that golang-migrate's parser takes (mongo-driver's for Go, canonical),
/// and relaxed Extended JSON.
///
/// A wrapper such as `{"$oid": …}` is known by its first key. Any other key that begins with a dollar is one of the
/// server's: `$type` and `$regex` are operators, whatever stands beside them.
struct CommandReader {
    private var scanner: JSONScanner
    private var token: JSONScanner.Token = .end
    /// The keys and positions that lead to the value that is being read.
    private var path: [String] = []

    /// Why the text can't be used.
    struct Failure: Error {
        /// Where, and what is wrong, in words, without a full stop and without any value of the text.
        let reason: String
    }

    /// The server takes no more.
    private static let mostLevels = 200

    private init(_ bytes: [UInt8]) { scanner = JSONScanner(bytes) }

    /// Reads a text.
    ///
    /// - Returns: The elements of its array, which are documents.
    static func commands(in bytes: [UInt8]) throws(Failure) -> [BSONDocument] {
        var reader = CommandReader(bytes)
        return try reader.commands()
    }

    private mutating func commands() throws(Failure) -> [BSONDocument] {
        try advance()
        if token == .end { throw Failure(reason: "it is empty; an array without commands is []") }
        guard token == .beginArray else { throw Failure(reason: "it has to be an array of commands, [ … ]") }
        var commands: [BSONDocument] = []
        for value in try array(1) {
            guard let command = value.document, !command.isEmpty else {
                throw Failure(reason: "element \(commands.count + 1) isn't a command, such as {\"ping\": 1}")
            }
            commands.append(command)
        }
        guard token == .end else { throw failure("there is something behind the end of the array") }
        return commands
    }

    mutating func advance() throws(Failure) {
        do {
            token = try scanner.next()
        } catch {
            throw failure(error.reason)
        }
    }

    /// An error at the present token.
    func failure(_ reason: String) -> Failure {
        let place = scanner.place(of: scanner.start)
        let keys = path.isEmpty ? "" : " (\(path.joined(separator: ".")))"
        return Failure(reason: "line \(place.line), column \(place.column)\(keys): \(reason)")
    }

    /// Reads a value, whose first token is there, and the token behind it.
    private mutating func value(_ level: Int, isPattern: Bool = false) throws(Failure) -> BSONValue {
        guard level <= Self.mostLevels else { throw failure("it is nested more than \(Self.mostLevels) levels deep") }
        let value: BSONValue
        switch token {
        case .beginObject: return try object(level, isPattern: isPattern)
        case .beginArray: return .array(BSONArray(try array(level + 1)))
        case .string(let text): value = .string(text)
        case .bool(let bool): value = .bool(bool)
        case .null: value = .null
        case .number(let text, let isInteger): value = try number(text, isInteger)
        case .end: throw failure("the text ends in the middle")
        case .endObject, .endArray, .colon, .comma: throw failure("a value is missing")
        }
        try advance()
        return value
    }

    private func number(_ text: String, _ isInteger: Bool) throws(Failure) -> BSONValue {
        if isInteger {
            if let number = Int32(text) { return .int32(number) }
            if let number = Int64(text) { return .int64(number) }
            throw failure("a number doesn't fit 64 bits")
        }
        guard let number = Double(text), number.isFinite else { throw failure("a number is too large") }
        return .double(number)
    }

    private mutating func array(_ level: Int) throws(Failure) -> [BSONValue] {
        // A pattern among the values of these is one, and no operator.
        let isPattern = ["$in", "$nin", "$all"].contains(path.last ?? "")
        var values: [BSONValue] = []
        try items(until: .endArray, "]") { (reader) throws(Failure) in
            reader.path.append("\(values.count)")
            values.append(try reader.value(level, isPattern: isPattern))
            reader.path.removeLast()
        }
        return values
    }

    /// Reads what stands between commas, from the opening bracket to the token behind the closing one.
    ///
    /// - Parameter item: Reads one, whose first token is there, and the token behind it.
    private mutating func items(
        until end: JSONScanner.Token, _ sign: String, _ item: (inout CommandReader) throws(Failure) -> Void
    ) throws(Failure) {
        try advance()
        if token != end {
            try item(&self)
            while token != end {
                guard token == .comma else { throw failure("a comma or \(sign) is missing") }
                try advance()
                try item(&self)
            }
        }
        try advance()
    }

    private mutating func object(_ level: Int, isPattern: Bool) throws(Failure) -> BSONValue {
        let members = try members(level)
        // A command is never a wrapper.
        if level > 1, let first = members.first {
            do {
                if let value = try ExtendedJSONWrapper.value(of: members, first) { return value }
            } catch {
                path.append(first.key)
                throw failure(error.reason)
            }
        }
        if isPattern, let pattern = members.first?.value.string, members.first?.key == "$regex", members.count <= 2 {
            if members.count == 1 { return .regularExpression(BSONRegularExpression(pattern: pattern)) }
            if members[1].key == "$options", let options = members[1].value.string {
                let sorted = String(options.sorted())
                return .regularExpression(BSONRegularExpression(pattern: pattern, options: sorted))
            }
        }
        return .document(BSONDocument(members.map { ($0.key, $0.value) }))
    }

    private mutating func members(_ level: Int) throws(Failure) -> [ExtendedJSONWrapper.Member] {
        var members: [ExtendedJSONWrapper.Member] = []
        try items(until: .endObject, "}") { (reader) throws(Failure) in
            guard case .string(let key) = reader.token else {
                throw reader.failure("a key in double quotes is missing")
            }
            guard !key.utf8.contains(0) else { throw reader.failure("a key holds the character of the code 0") }
            try reader.advance()
            reader.path.append(key)
            guard reader.token == .colon else { throw reader.failure("a colon behind the key is missing") }
            try reader.advance()
            members.append(ExtendedJSONWrapper.Member(key: key, value: try reader.value(level + 1)))
            reader.path.removeLast()
        }
        return members
    }
}
