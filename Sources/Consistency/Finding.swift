package import BSON
package import Journal

/// What can be wrong, by its stable code.
package enum FindingCode: String, Sendable, CaseIterable, Codable {
    /// `_id` is the empty string.
    case emptyID = "id.empty"
    /// `_id` is null.
    case nullID = "id.null"
    /// `_id` is the text of an ObjectId.
    case textID = "id.string"
    /// `_id` is of any other type.
    case foreignID = "id.foreign"
    /// A reference is the empty string.
    case emptyReference = "ref.empty"
    /// A reference is the text of an ObjectId.
    case textReference = "ref.string"
    /// A required reference is null or absent.
    case missingReference = "ref.missing"
    /// A reference names no document.
    case danglingReference = "ref.dangling"
    /// A document's owner isn't the owner of what it belongs to.
    case foreignOwner = "ref.owner"
    /// A document's owner has been deleted for good.
    case orphan = "ref.orphan"
    /// A run has left entries of the journal open, and isn't at work any more.
    case unfinishedRun = "run.unfinished"
    /// A field that the application can't do without is absent or null.
    case missingField = "field.missing"
    /// A field holds another type than the application's models take.
    case fieldType = "field.type"
    /// A counter differs from what it counts.
    case wrongCount = "count.wrong"
    /// A counter isn't an integer.
    case countType = "count.type"
    /// The time of the newest counted document is wrong.
    case wrongLatest = "last.wrong"
    /// Two documents share what must be unique.
    case duplicateUser = "user.duplicate"
    /// What must be unique differs in case alone.
    case lookalikeUser = "user.lookalike"
    /// There is no recognisable password hash.
    case missingPassword = "user.password"
    /// Nothing keeps an `_id` that isn't an ObjectId out.
    case missingGuard = "guard.missing"
    /// An index is missing.
    case missingIndex = "index.missing"

    /// How bad it is, as a rule; a finding may be less bad.
    package var severity: Severity {
        switch self {
        case .missingGuard, .missingIndex, .orphan, .lookalikeUser, .missingPassword: .warning
        default: .error
        }
    }

    /// The codes that are, or begin with, one of some texts: `id.` stands for all of its kind.
    package static func beginning(with prefixes: [String]) -> Set<FindingCode> {
        Set(allCases.filter { code in prefixes.contains { code.rawValue.hasPrefix($0) } })
    }

    /// Whether it is about a counter.
    package var isOfCounter: Bool {
        switch self {
        case .wrongCount, .countType, .wrongLatest: true
        default: false
        }
    }

    /// Those that are about a counter.
    package static let ofCounters = Set(allCases.filter(\.isOfCounter))

    /// What the bug itself writes.
    package static let ofBug: Set<FindingCode> = [.emptyID, .nullID, .textID, .emptyReference, .textReference]

    /// The command that mends it, as a rule, or nil when it is only reported.
    package var repair: String? {
        switch self {
        case .emptyID, .nullID, .textID: "repair ids"
        case .emptyReference, .textReference: "repair references"
        case .wrongCount, .countType, .wrongLatest: "repair counts"
        case .missingGuard, .missingIndex: "migrate up"
        case .unfinishedRun: "repair all"
        case .missingField: "repair fields"
        case .foreignID, .missingReference, .danglingReference, .foreignOwner, .orphan, .fieldType, .duplicateUser,
            .lookalikeUser, .missingPassword:
            nil
        }
    }

    /// Why a repair leaves it, in words.
    package var reasonLeft: Sentence {
        switch self {
        case .emptyID, .nullID, .textID: "it couldn't be given another _id"
        case .foreignID: "no ObjectId can be derived from it; decide by hand"
        case .emptyReference: "no document provably owns it; it may not be guessed"
        case .textReference: "it names no document with an ObjectId, or more than one could be meant"
        case .missingReference: "nothing tells what it should name"
        case .danglingReference: "no document has this as its _id"
        case .foreignOwner: "its owner isn't the owner of what it belongs to; decide by hand"
        case .orphan: "the account that it belongs to has been deleted"
        case .missingField: "nothing tells what it should be; decide by hand"
        case .fieldType: "it isn't known what it should be; decide by hand"
        case .wrongCount, .countType, .wrongLatest: "it never came to rest, or time was up (unsettled)"
        case .unfinishedRun: "the next command that changes something finishes it"
        case .duplicateUser: "two users share it; decide by hand"
        case .lookalikeUser: "two users' differ in case alone; decide by hand"
        case .missingPassword: "no password is known; \(RepairAdvice.seedCompletes)"
        case .missingGuard: "it is missing: \(RepairAdvice.migrate)"
        case .missingIndex: "it is missing: \(RepairAdvice.migrate)"
        }
    }
}

/// How bad a finding is.
package enum Severity: String, Sendable, Codable {
    /// The application misbehaves.
    case error
    /// It may come to misbehave.
    case warning
}

/// One kind of damage in one field of one collection.
package struct Finding: Sendable {
    /// What is wrong.
    package let code: FindingCode
    /// The collection.
    package let collection: String
    /// The field, or nil when the whole collection is meant.
    package let field: String?
    /// The number of documents concerned.
    package var count: Int
    /// Identifying fields of some of them; never contents or password hashes.
    package var samples: [BSONDocument]
    /// How bad it is.
    package let severity: Severity
    /// The command that mends it, or nil when it is only reported.
    package let repair: String?
    /// What tells the documents concerned from others: their `_id`s, or of a finding that is grouped by something else, as
    /// duplicates are, what it is grouped by. At most ``mostSubjects``.
    package internal(set) var subjects: [BSONValue] = []
    /// The same, where several documents have one.
    private var accounts: Set<BSONValue> = []
    /// Whether ``subjects`` are all.
    package internal(set) var hasAllSubjects = true
    /// How those are kept that an earlier check has found, and that haven't changed since; they are counted, and among
    /// neither samples nor subjects.
    package internal(set) var carried: [UInt64] = []
    /// How many documents those are.
    package internal(set) var carriedCount = 0
    /// What else is wrong for this reason alone: it is right once this is.
    package internal(set) var consequences: [Consequence] = []

    /// What follows from a finding, and vanishes with it.
    package struct Consequence: Sendable, Equatable {
        /// What is wrong.
        package let code: FindingCode
        /// The collection.
        package let collection: String
        /// The field.
        package let field: String?
        /// The number of documents concerned.
        package let count: Int
    }

    /// More documents of one finding aren't told apart.
    package static let mostSubjects = 10_000

    /// The largest number of samples kept.
    package static let sampleLimit = 5

    init(code: FindingCode, collection: String, field: String?, count: Int = 0, samples: [BSONDocument] = []) {
        self.init(
            code: code, collection: collection, field: field, count: count, samples: samples, severity: code.severity,
            repair: code.repair)
    }

    init(
        code: FindingCode, collection: String, field: String?, count: Int, samples: [BSONDocument],
        severity: Severity, repair: String?
    ) {
        self.code = code
        self.collection = collection
        self.field = field
        self.count = count
        self.samples = samples.map(\.excerpt)
        subjects = samples.isEmpty ? (count == 0 ? [] : [.null]) : samples.map(\.identifying)
        self.severity = severity
        self.repair = repair
    }

    /// The same finding of nothing yet.
    var none: Finding {
        Finding(
            code: code, collection: collection, field: field, count: 0, samples: [], severity: severity, repair: repair)
    }

    /// By the `_id`, or what a sample has in its place.
    private static func precedes(_ first: BSONDocument, _ second: BSONDocument) -> Bool {
        let (firstKey, secondKey) = (first.identifying, second.identifying)
        if firstKey == secondKey { return first.bytes.lexicographicallyPrecedes(second.bytes) }
        return firstKey.precedes(secondKey)
    }

    /// Adds what was found of the same elsewhere.
    mutating func merge(_ other: Finding) {
        count += other.count
        carried += other.carried
        carriedCount += other.carriedCount
        if consequences.isEmpty { consequences = other.consequences }
        hasAllSubjects = hasAllSubjects && other.hasAllSubjects
        // Many documents may belong to one account.
        let added = code == .orphan ? other.subjects.filter { accounts.insert($0).inserted } : other.subjects
        let room = Self.mostSubjects - subjects.count
        if added.count > room { hasAllSubjects = false }
        subjects += added.prefix(room)
        for sample in other.samples where !samples.contains(sample) {
            // In order, whoever comes first: two checks of the same data show the same.
            let position = samples.firstIndex { Self.precedes(sample, $0) } ?? samples.count
            guard position < Self.sampleLimit else { continue }
            samples.insert(sample, at: position)
            if samples.count > Self.sampleLimit { samples.removeLast() }
        }
    }
}

extension BSONDocument {
    /// Of a sample: its `_id`, or the value that it has in its place.
    fileprivate var identifying: BSONValue {
        if let id = self["_id"] { return id }
        for element in elements { return element.value }
        return .null
    }
}

/// Adds findings up by code, collection and field.
struct FindingCollector {
    private struct Key: Hashable {
        let code: FindingCode
        let collection: String
        let field: String?
    }

    /// A finding that is the cause of others, whose field is its `_id`.
    private struct Cause: Hashable {
        let code: FindingCode
        let collection: String
    }

    private var findings: [Key: Finding] = [:]
    private var consequences: [Cause: FindingCollector] = [:]

    mutating func add(
        _ code: FindingCode, _ collection: String, _ field: String?, count: Int = 1, sample: BSONDocument? = nil
    ) {
        add(
            Finding(
                code: code, collection: collection, field: field, count: count, samples: sample.map { [$0] } ?? []))
    }

    mutating func add(_ finding: Finding) {
        findings[Key(code: finding.code, collection: finding.collection, field: finding.field), default: finding.none]
            .merge(finding)
    }

    /// Adds what is wrong only because of something else.
    ///
    /// - Parameters:
    ///   - finding: What is wrong.
    ///   - cause: What is to blame.
    ///   - collection: Where the cause is found.
    mutating func add(_ finding: Finding, becauseOf cause: FindingCode, in collection: String) {
        consequences[Cause(code: cause, collection: collection), default: FindingCollector()].add(finding)
    }

    /// Adds what another has collected.
    ///
    /// - Parameter codes: What counts; where a cause doesn't, what follows from it stands for itself.
    mutating func merge(_ other: FindingCollector, _ codes: Set<FindingCode> = Set(FindingCode.allCases)) {
        for finding in other.findings.values where codes.contains(finding.code) { add(finding) }
        for (cause, following) in other.consequences {
            for finding in following.findings.values where codes.contains(finding.code) {
                if codes.contains(cause.code) {
                    add(finding, becauseOf: cause.code, in: cause.collection)
                } else {
                    add(finding)
                }
            }
        }
    }

    /// Forgets some findings, which were looked at otherwise.
    mutating func remove(_ codes: Set<FindingCode>, _ collection: String, _ field: String) {
        for code in codes { findings[Key(code: code, collection: collection, field: field)] = nil }
    }

    /// The same without what follows from a finding, which may be known from elsewhere.
    var sortedCauses: [Finding] {
        var causes = self
        causes.consequences = [:]
        return causes.sorted
    }

    /// In the order of the codes, then by collection and field. What follows from a finding is a part of it.
    var sorted: [Finding] {
        var whole = FindingCollector()
        whole.findings = findings
        for (cause, following) in consequences {
            let key = Key(code: cause.code, collection: cause.collection, field: "_id")
            if findings[key] == nil {
                // The cause hasn't been looked at yet, or is gone.
                for finding in following.findings.values { whole.add(finding) }
            } else {
                whole.findings[key]?.consequences = following.sorted.map {
                    Finding.Consequence(code: $0.code, collection: $0.collection, field: $0.field, count: $0.count)
                }
            }
        }
        let order = Dictionary(uniqueKeysWithValues: FindingCode.allCases.enumerated().map { ($1, $0) })
        func key(_ finding: Finding) -> (Int, String, String) {
            (order[finding.code] ?? 0, finding.collection, finding.field ?? "")
        }
        return whole.findings.values.sorted { key($0) < key($1) }
    }
}
