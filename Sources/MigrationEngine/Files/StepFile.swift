internal import BSON
internal import Checksums
internal import InputFiles
internal import MongoDriver

/// A file with an array of database commands in Extended JSON, canonical or relaxed.
package struct StepFile: Sendable {
    /// Where it lies.
    package let path: String
    /// SHA-256 of its bytes, in hexadecimal.
    package let checksum: String
    /// Its commands, in order.
    package let commands: [DatabaseCommand]

    /// Reads a file.
    ///
    /// - Throws: ``StepFileError``.
    package init(path: String) throws(StepFileError) {
        let bytes: [UInt8]
        do {
            bytes = try InputFile.readOrdinary(path, limit: Self.limit)
        } catch {
            throw StepFileError(.inputOutput, path: path, reason: "it can't be read: \(error)")
        }
        try self.init(path: path, bytes: bytes)
    }

    /// The most bytes of a file: more than one document of the server's, and no more than a plan can hold at once.
    private static let limit = 64 << 20

    /// Reads a file's bytes.
    ///
    /// - Throws: ``StepFileError`` of kind `malformed`.
    package init(path: String, bytes: [UInt8]) throws(StepFileError) {
        self.path = path
        checksum = try Self.digest(bytes, path)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw StepFileError(.malformed, path: path, reason: "it isn't UTF-8")
        }
        commands = try Self.commands(in: text, path)
    }

    private static func commands(in text: String, _ path: String) throws(StepFileError) -> [DatabaseCommand] {
        // A byte order mark is what some editors put in front.
        let json = text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
        guard let first = json.first(where: { !$0.isWhitespace }) else {
            throw StepFileError(.malformed, path: path, reason: "it is empty; an array without commands is []")
        }
        guard first == "[" else {
            throw StepFileError(.malformed, path: path, reason: "it has to be an array of commands, [ … ]")
        }
        if let number = ExtendedJSON.integerTooLarge(in: json) {
            throw StepFileError(.malformed, path: path, reason: "the number \(number) doesn't fit 64 bits")
        }
        let list: BSONDocument
        do {
            list = try ExtendedJSON.document(json)
        } catch {
            throw StepFileError(.malformed, path: path, reason: withoutStop(error.message))
        }
        var commands: [DatabaseCommand] = []
        for (index, element) in list.elements.enumerated() {
            guard let document = element.value.document, let command = DatabaseCommand(document) else {
                throw StepFileError(
                    .malformed, path: path, reason: "element \(index + 1) isn't a command, such as {\"ping\": 1}")
            }
            commands.append(command)
        }
        return commands
    }

    private static func withoutStop(_ text: String) -> String { text.hasSuffix(".") ? String(text.dropLast()) : text }

    /// SHA-256 of some of its first commands, to notice that what is done already has been edited.
    func digest(ofFirst count: Int) throws(StepFileError) -> String {
        try Self.digest(commands.prefix(count).flatMap(\.document.bytes), path)
    }

    /// SHA-256 of one command; nil behind the last one.
    func digest(of index: Int) throws(StepFileError) -> String? {
        commands.indices.contains(index) ? try Self.digest(commands[index].document.bytes, path) : nil
    }

    /// A place among the commands, as the ledger keeps it.
    func checkpoint(
        _ direction: MigrationDirection, position: Int, begun: BSONDocument? = nil,
        balance: StepAccount.Balance = StepAccount.Balance()
    ) throws(StepFileError) -> StepCheckpoint {
        StepCheckpoint(
            direction: direction, position: position, digest: try digest(ofFirst: position),
            command: try digest(of: position), begun: begun, balance: balance)
    }

    private static func digest(_ bytes: [UInt8], _ path: String) throws(StepFileError) -> String {
        do {
            return try SHA256.hex(bytes)
        } catch {
            throw StepFileError(.inputOutput, path: path, reason: "\(error)")
        }
    }
}
