internal import BSON
internal import InputFiles
internal import Journal
internal import MongoDriver

/// Keeps recorded checks in a file, for users who may only read the database: a line of Extended JSON for each.
package struct FileCheckStore: CheckStore {
    /// Why a file can't be used.
    package struct Failure: Error, CustomStringConvertible, Sendable {
        /// Whether it couldn't be read at all; otherwise it isn't what this tool writes.
        package let isUnreadable: Bool
        /// What is wrong, where, and what to do.
        package let description: String
    }

    private let path: String
    private let clock: @Sendable () async throws -> Int64

    /// Records of some years.
    private static let largest = 512 << 20

    /// Keeps them in a file, which needn't be there yet.
    ///
    /// - Parameter clock: Tells the time, in milliseconds since 1970. This machine's may be wrong, and nobody's record shall be
    ///   too old for that.
    package init(_ path: String, clock: @escaping @Sendable () async throws -> Int64) {
        (self.path, self.clock) = (path, clock)
    }

    package func records(limit: Int) async throws -> [CheckRecord] {
        Array(try await entries().compactMap(\.record).sorted { $0.number > $1.number }.prefix(limit))
    }

    package func summaries(since: Int64) async throws -> [CheckRecord] {
        try await records(limit: .max).filter { $0.at >= since }
    }

    package func acceptances() async throws -> [Acceptance] {
        try await entries().compactMap(\.acceptance).sorted { $0.number < $1.number }
    }

    package func prune(keepingDays: Int) async throws {
        let oldest = try await clock() - Int64(keepingDays) * Self.dayMS
        try await change { entries in entries.removeAll { $0.record.map { $0.at < oldest } ?? false } }
    }

    package func append(_ record: CheckRecord) async throws -> CheckRecord {
        let now = try await clock()
        return try await change { entries in
            var record = record
            record.keep(at: now)
            record.number = Self.next(entries.compactMap(\.record?.number))
            entries.append(Entry(document: record.document, content: .check(record)))
            return record
        }
    }

    package func replace(_ record: CheckRecord) async throws {
        try await change { entries in
            let entry = Entry(document: record.document, content: .check(record))
            guard let index = entries.firstIndex(where: { $0.record?.number == record.number }) else {
                return entries.append(entry)
            }
            entries[index] = entry
        }
    }

    package func accept(_ acceptance: Acceptance) async throws -> Acceptance {
        try await change { entries in
            var acceptance = acceptance
            acceptance.number = Self.next(entries.compactMap(\.acceptance?.number))
            entries.append(Entry(document: acceptance.document, content: .acceptance(acceptance)))
            return acceptance
        }
    }

    package func unaccept(_ number: Int64) async throws -> Bool {
        try await change { entries in
            let count = entries.count
            entries.removeAll { $0.acceptance?.number == number }
            return entries.count < count
        }
    }

    private static func next(_ numbers: [Int64]) -> Int64 { (numbers.max() ?? 0) + 1 }

    /// A line of the file, as it stands there, and what it means.
    private struct Entry {
        enum Content {
            case check(CheckRecord)
            case acceptance(Acceptance)
        }

        let document: BSONDocument
        let content: Content

        init(document: BSONDocument, content: Content) { (self.document, self.content) = (document, content) }

        /// - Returns: nil where it is nothing that this tool writes.
        init?(reading document: BSONDocument) throws(StateError) {
            self.document = document
            switch document["kind"]?.string {
            case CheckRecord.kind: content = .check(try CheckRecord(reading: document))
            case Acceptance.kind: content = .acceptance(try Acceptance(reading: document))
            default: return nil
            }
        }

        var record: CheckRecord? { if case .check(let record) = content { record } else { nil } }
        var acceptance: Acceptance? { if case .acceptance(let acceptance) = content { acceptance } else { nil } }
    }

    private func entries() async throws -> [Entry] {
        try await offPool { Result { try read() } }.get()
    }

    /// Changes what the file holds. Whoever else changes it meanwhile waits.
    private func change<R: Sendable>(_ body: @escaping @Sendable (inout [Entry]) -> R) async throws -> R {
        try await offPool {
            Result {
                try FolderLock.holding(path) {
                    var entries = try read()
                    let result = body(&entries)
                    let lines = try entries.map { try ExtendedJSON.canonical($0.document) + "\n" }
                    try AtomicFile.writeNow(Array(lines.joined().utf8), to: path)
                    return result
                }
            }
        }.get()
    }

    private func read() throws -> [Entry] {
        let text: String
        do throws(InputFile.Failure) {
            text = try InputFile.text(InputFile.readOrdinary(path, limit: Self.largest))
        } catch {
            // The first recorded check makes it.
            if error.kind == .missing { return [] }
            throw Failure(isUnreadable: error.kind == .unreadable, description: "\(path): \(error)")
        }
        var entries: [Entry] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        where !line.allSatisfy(\.isWhitespace) {
            func failure(_ reason: String) -> Failure {
                Failure(
                    isUnreadable: false,
                    description: "\(path), line \(number + 1): \(reason). This is no file of recorded checks, or "
                        + "somebody has edited it; name another one, or take the line out.")
            }
            do {
                // What can't be read as a whole isn't written again either.
                guard let entry = try Entry(reading: ExtendedJSON.document(String(line))) else {
                    throw failure("it is neither a recorded check nor what was accepted")
                }
                entries.append(entry)
            } catch let error as StateError {
                guard case .field(_, let name, let expected) = error.fault else { throw failure("\(error)") }
                throw failure("`\(name)` isn't \(expected)")
            } catch let error as MongoError {
                throw failure(error.message)
            }
        }
        return entries
    }
}
