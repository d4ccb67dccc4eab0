internal import Glibc
internal import InputFiles

/// Where one sandbox keeps what it has: a folder of its own.
package struct SandboxFolder: Sendable {
    /// Its name.
    package let name: String
    let path: String

    var recordPath: String { path + "/sandbox.json" }
    var snapshots: String { path + "/snapshots" }
    /// Stands there while the server lets nobody write.
    var writeLockMark: String { path + "/write-locked" }

    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/usage``.
    init(_ name: String, in root: String) throws(SandboxError) {
        try Self.check(name, of: "sandbox")
        (self.name, path) = (name, "\(root)/\(name)")
    }

    /// - Parameter thing: What is called so.
    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/usage`` where it is no name.
    static func check(_ name: String, of thing: String) throws(SandboxError) {
        guard !isName(name) else { return }
        throw SandboxError(
            .usage,
            "A \(thing)'s name begins with a letter or digit and is made of at most 40 letters, digits, - and _: \(name)"
        )
    }

    static func isName(_ name: String) -> Bool {
        let isPlain = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        return isPlain && name.count <= 40 && (name.first.map { $0.isLetter || $0.isNumber } ?? false)
    }

    /// Begins the name of a sandbox that nobody has named.
    private static let namelessPrefix = "exec-"

    /// The name of a sandbox that nobody has named, and that ends with a process.
    package static func namelessName(of process: Int32) -> String { namelessPrefix + String(process) }

    /// Whether nobody has named it.
    var isNameless: Bool {
        name.hasPrefix(Self.namelessPrefix) && Int32(name.dropFirst(Self.namelessPrefix.count)) != nil
    }

    /// Whether its folder goes with its servers: nobody asks for logs of what nobody has named.
    var goesWhole: Bool { isNameless && snapshotNames.isEmpty }

    /// The folder of all sandboxes.
    var root: String { String(path.dropLast(name.utf8.count + 1)) }

    /// Where one server's data are.
    func data(_ member: Int, kept: String?) -> String { "\(kept ?? path + "/data")/\(member)" }

    func log(_ member: Int) -> String { "\(path)/log/\(member).log" }

    /// Whether anything is there, if only logs and snapshots.
    package var isThere: Bool { Folders.exists(path) }

    /// The logs of its servers, in order.
    package var logs: [String] { Folders.entries(path + "/log").map { "\(path)/log/\($0)" } }

    /// What is known of it; nil where nothing is.
    package var record: SandboxRecord? { SmallFile.read(recordPath).flatMap(SandboxRecord.init(json:)) }

    /// - Throws: ``SandboxError``.
    func write(_ record: SandboxRecord) throws(SandboxError) { try write(record, to: recordPath) }

    /// - Throws: ``SandboxError``.
    func write(_ record: SandboxRecord, to place: String) throws(SandboxError) {
        let temporary = "\(place).\(getpid()).tmp"
        do {
            try SmallFile.write(try record.json(), to: temporary)
        } catch {
            throw SandboxError(.inputOutput, "\(place) couldn't be written: \(error). Is the disk full?")
        }
        try Folders.rename(temporary, to: place)
    }

    /// The names of its snapshots, in order.
    package var snapshotNames: [String] { Folders.entries(snapshots).filter(Self.isName) }

    /// What is known of the sandbox that a snapshot was taken of: it stands beside the data.
    func snapshotRecordPath(_ snapshot: String) -> String { "\(snapshots)/\(snapshot).json" }
}

extension SmallFile {
    /// Why a file couldn't be written, in the system's words.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Writes a file, and has it on the disk.
    static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        func failure() -> Failure { Failure(description: String(cString: strerror(errno))) }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 { rest = rest.dropFirst(count) } else if errno != EINTR { throw failure() }
        }
        guard fsync(descriptor) == 0 else { throw failure() }
    }
}
