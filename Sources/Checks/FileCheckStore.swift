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

    /// Records of some years.
    private static let largest = 512 << 20

    /// Keeps them in a file, which needn't be there yet.
    package init(_ path: String) { self.path = path }

    package func records(limit: Int) async throws -> [CheckRecord] {
        let records = try await documents().filter { $0["kind"]?.string == CheckRecord.kind }
            .map(CheckRecord.init(reading:))
        return Array(records.sorted { $0.number > $1.number }.prefix(limit))
    }

    package func summaries(since: Int64) async throws -> [CheckRecord] {
        try await records(limit: .max).filter { $0.at >= since }
    }

    package func acceptances() async throws -> [Acceptance] {
        try await documents().filter { $0["kind"]?.string == Acceptance.kind }.map(Acceptance.init(reading:))
            .sorted { $0.number < $1.number }
    }

    package func prune(keepingDays: Int) async throws {
        let oldest = WallClock.milliseconds - Int64(keepingDays) * Self.dayMS
        try await change { documents in
            documents.removeAll { $0["kind"]?.string == CheckRecord.kind && $0["at"]?.date ?? 0 < oldest }
        }
    }

    package func append(_ record: CheckRecord) async throws -> CheckRecord {
        try await change { documents in
            var record = record
            record.number = Self.next(documents, CheckRecord.kind)
            documents.append(record.document)
            return record
        }
    }

    package func accept(_ acceptance: Acceptance) async throws -> Acceptance {
        try await change { documents in
            var acceptance = acceptance
            acceptance.number = Self.next(documents, Acceptance.kind)
            documents.append(acceptance.document)
            return acceptance
        }
    }

    package func unaccept(_ number: Int64) async throws -> Bool {
        try await change { documents in
            let count = documents.count
            documents.removeAll { $0["kind"]?.string == Acceptance.kind && $0["number"]?.integer == number }
            return documents.count < count
        }
    }

    private static func next(_ documents: [BSONDocument], _ kind: String) -> Int64 {
        (documents.filter { $0["kind"]?.string == kind }.compactMap { $0["number"]?.integer }.max() ?? 0) + 1
    }

    private func documents() async throws -> [BSONDocument] {
        try await offPool { Result { try read() } }.get()
    }

    /// Changes what the file holds. Whoever else changes it meanwhile waits.
    private func change<R: Sendable>(_ body: @escaping @Sendable (inout [BSONDocument]) -> R) async throws -> R {
        try await offPool {
            Result {
                try FolderLock.holding(path) {
                    var documents = try read()
                    let result = body(&documents)
                    let lines = try documents.map { try ExtendedJSON.canonical($0) + "\n" }
                    try AtomicFile.writeNow(Array(lines.joined().utf8), to: path)
                    return result
                }
            }
        }.get()
    }

    private func read() throws -> [BSONDocument] {
        let text: String
        do throws(InputFile.Failure) {
            text = try InputFile.text(InputFile.readOrdinary(path, limit: Self.largest))
        } catch {
            // The first recorded check makes it.
            if error.kind == .missing { return [] }
            throw Failure(isUnreadable: error.kind == .unreadable, description: "\(path): \(error)")
        }
        var documents: [BSONDocument] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        where !line.allSatisfy(\.isWhitespace) {
            func failure(_ reason: String) -> Failure {
                Failure(
                    isUnreadable: false,
                    description: "\(path), line \(number + 1): \(reason). This is no file of recorded checks, or "
                        + "somebody has edited it; name another one, or take the line out.")
            }
            do {
                let document = try ExtendedJSON.document(String(line))
                // What can't be read as a whole isn't written again either.
                switch document["kind"]?.string {
                case CheckRecord.kind: _ = try CheckRecord(reading: document)
                case Acceptance.kind: _ = try Acceptance(reading: document)
                default: throw failure("it is neither a recorded check nor what was accepted")
                }
                documents.append(document)
            } catch let error as StateError {
                guard case .field(_, let name, let expected) = error.fault else { throw failure("\(error)") }
                throw failure("`\(name)` isn't \(expected)")
            } catch let error as MongoError {
                throw failure(error.message)
            }
        }
        return documents
    }
}
