package import BSON
package import Consistency
package import Journal

/// One recorded check: when, what was covered, and which documents were found.
package struct CheckRecord: Sendable {
    /// Of one finding, what later checks are compared with.
    package struct Item: Sendable {
        /// The finding.
        package let name: FindingName
        /// How bad it was: `error` or `warning`.
        package let severity: String
        /// The number of documents.
        package let count: Int
        /// The documents' identities, in order; nil where there were too many to be told apart.
        package let identities: [UInt64]?
        /// Since when each recorded check has found it, in milliseconds since 1970.
        package var since: Int64
        /// How many of the documents were accepted then.
        package var accepted = 0
        /// Of the identities, in order, those that no check has seen since the present round of slices began; nil where
        /// there is none.
        package var unconfirmed: [UInt64]?

        init(
            name: FindingName, severity: String, count: Int, identities: [UInt64]?, since: Int64
        ) {
            (self.name, self.severity, self.count) = (name, severity, count)
            (self.identities, self.since) = (identities, since)
        }
    }

    /// The number of the record: one more than that of the newest before it, whatever the clocks said.
    package var number: Int64
    /// When the check ended, in milliseconds since 1970, by the server's clock once the record is kept.
    package private(set) var at: Int64
    /// How long it took.
    package let durationMS: Int64
    /// The tool's version, and the server's.
    package let toolVersion: String
    package let serverVersion: String
    /// `full` or `incremental`.
    package let mode: String
    /// What an incremental check has looked at; nil for a full one, and in a record that was read.
    package let coverage: CheckCoverage?
    /// What a later check has to know, to look at what has changed alone; nil in what an older version has recorded.
    package var basis: CheckBasis?
    /// The codes that were looked for.
    package let codes: [String]
    /// Whether everything was looked at.
    package let isComplete: Bool
    /// What wasn't.
    package let unchecked: [String]
    /// What was found.
    package var items: [Item]
    /// The number of documents looked at, by collection.
    package let sizes: [String: Int]
    /// The check's exit code.
    package var exitCode: Int32
    /// How many documents were found for the first time, and how many are right again.
    package var new = 0
    package var resolved = 0
    /// Whether there was nothing to compare it with.
    package var isBaseline = false

    /// Makes the record of a check that has come to its end.
    ///
    /// - Parameters:
    ///   - report: What was found.
    ///   - codes: What was looked for.
    ///   - duration: How long it took, in milliseconds.
    ///   - toolVersion: The tool's version.
    ///   - serverVersion: The server's version.
    ///   - now: The time, in milliseconds since 1970.
    ///   - coverage: What was looked at; nil for everything.
    /// - Throws: `ChecksumError`.
    package init(
        _ report: CheckReport, codes: Set<FindingCode>, durationMS duration: Int64, toolVersion: String,
        serverVersion: String, now: Int64, coverage: CheckCoverage? = nil
    ) throws {
        (number, at, durationMS) = (1, now, duration)
        (self.toolVersion, self.serverVersion) = (toolVersion, serverVersion)
        (mode, self.coverage) = (coverage == nil ? "full" : Self.incrementalMode, coverage)
        self.codes = codes.map(\.rawValue).sorted()
        (isComplete, unchecked) = (report.unchecked.isEmpty, report.unchecked)
        items = try report.findings.map { finding in
            let name = FindingName(finding)
            let identities =
                finding.hasAllSubjects ? (try finding.subjects.map(name.identity) + finding.carried).sorted() : nil
            return Item(
                name: name, severity: finding.severity.rawValue, count: finding.count, identities: identities,
                since: now)
        }
        sizes = report.sizes
        exitCode = 0
    }
}

extension CheckRecord {
    /// Gives it the time at which it is kept; that is also when new findings were first found.
    mutating func keep(at time: Int64) {
        for index in items.indices where items[index].since == at { items[index].since = time }
        at = time
    }

    /// Gives it another time, for what was found meanwhile: what was found before was found when it was.
    package mutating func update(at time: Int64) { at = time }

    /// What ``mode`` is of a check that looked at what has changed alone.
    package static let incrementalMode = "incremental"

    /// Whether it looked for everything that this version looks for.
    package var isOfAllCodes: Bool { Set(FindingCode.allCases.map(\.rawValue)).isSubset(of: codes) }

    /// What marks a record among the documents of `chat_admin.checks`.
    static let kind = "check"

    /// As it is kept.
    package var document: BSONDocument {
        var document: BSONDocument = [
            "_id": .string("\(Self.kind)/\(number)"), "kind": .string(Self.kind), "number": .int64(number),
            "at": .date(at),
            "durationMS": .int64(durationMS), "toolVersion": .string(toolVersion),
            "serverVersion": .string(serverVersion), "mode": .string(mode),
            "codes": .array(BSONArray(codes.map { .string($0) })), "complete": .bool(isComplete),
            "unchecked": .array(BSONArray(unchecked.map { .string($0) })),
            "findings": .array(BSONArray(items.map { .document($0.document(at: at)) })),
            "sizes": .document(
                BSONDocument(sizes.sorted { $0.key < $1.key }.map { ($0.key, .int64(Int64($0.value))) })),
            "exitCode": .int32(exitCode), "new": .int64(Int64(new)), "resolved": .int64(Int64(resolved)),
            "baseline": .bool(isBaseline),
        ]
        if let coverage { document.append("coverage", .document(coverage.document)) }
        if let basis { document.append("basis", .document(basis.document)) }
        return document
    }

    /// Reads one.
    ///
    /// - Throws: `StateError` where it isn't as this tool writes them.
    package init(reading document: BSONDocument) throws(StateError) {
        let fields = StateFields(StateCollection.checks, document)
        number = try fields.require("number", .count)
        at = try fields.require("at", .date)
        durationMS = try fields.require("durationMS", .count)
        toolVersion = try fields.require("toolVersion", .text)
        serverVersion = try fields.require("serverVersion", .text)
        mode = try fields.require("mode", .text)
        codes = try fields.require("codes", .texts)
        isComplete = try fields.require("complete", .flag)
        unchecked = try fields.require("unchecked", .texts)
        var items: [Item] = []
        for item in try fields.list("findings") { items.append(try Item(reading: item, at: at)) }
        self.items = items
        var sizes: [String: Int] = [:]
        let counted = try fields.require("sizes", .document)
        if let inner = try fields.inner("sizes") {
            for name in counted.keys { sizes[name] = Int(try inner.require(name, .count)) }
        }
        self.sizes = sizes
        exitCode = Int32(clamping: try fields.require("exitCode", .number))
        new = Int(try fields.require("new", .count))
        resolved = Int(try fields.require("resolved", .count))
        isBaseline = try fields.read("baseline", .flag) ?? false
        coverage = nil
        basis = try fields.inner("basis").map { inner throws(StateError) in try CheckBasis(reading: inner) }
    }
}

extension CheckRecord.Item {
    /// What is new is since the record's own time, which whoever keeps it knows.
    fileprivate func document(at time: Int64) -> BSONDocument {
        var document: BSONDocument = [
            "code": .string(name.code), "collection": .string(name.collection), "severity": .string(severity),
            "count": .int64(Int64(count)),
        ]
        if since != time { document.append("since", .date(since)) }
        if let field = name.field { document.append("field", .string(field)) }
        if accepted > 0 { document.append("accepted", .int64(Int64(accepted))) }
        if let identities { document.append("identities", Self.packed(identities)) }
        if let unconfirmed, !unconfirmed.isEmpty { document.append("unconfirmed", Self.packed(unconfirmed)) }
        return document
    }

    private static func packed(_ identities: [UInt64]) -> BSONValue {
        let bytes = identities.flatMap { identity in
            (0..<8).map { UInt8(truncatingIfNeeded: identity >> (56 - 8 * $0)) }
        }
        return .binary(BSONBinary(subtype: 0, bytes: bytes))
    }

    private static func unpacked(_ fields: StateFields, _ name: String) throws(StateError) -> [UInt64]? {
        guard let bytes = try fields.read(name, .binary)?.bytes else { return nil }
        guard bytes.count % 8 == 0 else { throw fields.fault(name, "eight bytes for each document") }
        return stride(from: 0, to: bytes.count, by: 8).map { start in
            bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    fileprivate init(reading fields: StateFields, at time: Int64) throws(StateError) {
        name = FindingName(
            code: try fields.require("code", .text), collection: try fields.require("collection", .text),
            field: try fields.read("field", .text))
        severity = try fields.require("severity", .text)
        count = Int(try fields.require("count", .count))
        since = try fields.read("since", .date) ?? time
        accepted = Int(try fields.read("accepted", .count) ?? 0)
        identities = try Self.unpacked(fields, "identities")
        unconfirmed = try Self.unpacked(fields, "unconfirmed")
    }
}
