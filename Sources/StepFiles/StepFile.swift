internal import BSON
internal import Checksums
internal import InputFiles
internal import Journal
internal import MigrationEngine

/// A file with an array of database commands in Extended JSON, canonical or relaxed.
package struct StepFile: Sendable {
    /// Where it lies.
    package let path: String
    /// SHA-256 of its commands, in hexadecimal: white space, line ends and a byte order mark don't count.
    package let checksum: String
    /// What earlier versions of this tool may have kept as its checksum: that of its bytes, with these or other line ends.
    package let formerChecksums: Set<String>
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
            // One that is too large is the author's to divide; the others are the machine's.
            let kind: StepFileError.Kind = error.kind == .tooLarge ? .malformed : .inputOutput
            throw StepFileError(kind, path: path, reason: "it can't be read: \(error)")
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
        // A byte order mark is what some editors put in front.
        let text = bytes.starts(with: Self.byteOrderMark) ? Array(bytes.dropFirst(Self.byteOrderMark.count)) : bytes
        guard !bytes.starts(with: [0xff, 0xfe]), !bytes.starts(with: [0xfe, 0xff]), !bytes.prefix(2).contains(0) else {
            throw StepFileError(.malformed, path: path, reason: "it is UTF-16 or UTF-32; save it as UTF-8")
        }
        guard String(validating: text, as: UTF8.self) != nil else {
            throw StepFileError(.malformed, path: path, reason: "it isn't UTF-8")
        }
        do {
            commands = try CommandReader.commands(in: text).compactMap(DatabaseCommand.init)
        } catch {
            throw StepFileError(.malformed, path: path, reason: Sentence(error.reason))
        }
        checksum = try Self.digest(commands.flatMap(\.document.bytes), path)
        formerChecksums = try Self.formerChecksums(of: text, bytes, path)
    }

    private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]

    private static func formerChecksums(
        of text: [UInt8], _ bytes: [UInt8], _ path: String
    ) throws(StepFileError) -> Set<String> {
        let (lineFeed, carriageReturn): (UInt8, UInt8) = (0x0a, 0x0d)
        let unix = text.filter { $0 != carriageReturn }
        let windows = unix.flatMap { $0 == lineFeed ? [carriageReturn, lineFeed] : [$0] }
        var checksums: Set<String> = [try digest(bytes, path)]
        for variant in [unix, windows] {
            checksums.insert(try digest(variant, path))
            checksums.insert(try digest(byteOrderMark + variant, path))
        }
        return checksums
    }

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
        figures: StepTotals.Figures = StepTotals.Figures()
    ) throws(StepFileError) -> StepCheckpoint {
        StepCheckpoint(
            direction: direction, position: position, digest: try digest(ofFirst: position),
            command: try digest(of: position), begun: begun, figures: figures)
    }

    private static func digest(_ bytes: [UInt8], _ path: String) throws(StepFileError) -> String {
        do {
            return try SHA256.hex(bytes)
        } catch {
            throw StepFileError(.inputOutput, path: path, reason: "\(error)")
        }
    }
}
