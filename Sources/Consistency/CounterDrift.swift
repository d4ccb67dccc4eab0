internal import BSON
internal import MigrationEngine

/// What the documents that a counter counts really are.
struct CountedTruth: Sendable, Equatable {
    /// How many aren't deleted.
    var live: Int64 = 0
    /// How many there are, deleted ones included.
    var total: Int64 = 0
    /// When the newest that isn't deleted was created, in milliseconds since 1970.
    var newestLive: Int64?
    /// When the newest of all was created.
    var newest: Int64?
    /// The smallest and the largest `_id`: with the numbers, the fingerprint that tells whether anything changed.
    var smallestID: BSONValue?
    var largestID: BSONValue?

    init() {}

    init(_ group: BSONDocument) {
        live = group["live"]?.integer ?? 0
        total = group["total"]?.integer ?? 0
        newestLive = group["newestLive"]?.date
        newest = group["newest"]?.date
        smallestID = group["smallest"]
        largestID = group["largest"]
    }
}

/// A document's counter as it is stored, beside what it counts.
struct CounterObservation: Sendable, Equatable {
    let id: BSONValue
    /// The stored number and time; nil where the field is absent.
    let count: BSONValue?
    let latest: BSONValue?
    let truth: CountedTruth

    /// What is wrong with it, if anything.
    func codes(toleranceMS: Int64) -> [FindingCode] {
        var codes: [FindingCode] = []
        if let stored = count?.integer {
            if stored != truth.live { codes.append(.wrongCount) }
        } else {
            codes.append(.countType)
        }
        if isLatestWrong(toleranceMS) { codes.append(.wrongLatest) }
        return codes
    }

    private func isLatestWrong(_ toleranceMS: Int64) -> Bool {
        switch latest {
        case nil, .null:
            return truth.live > 0 && truth.newestLive != nil
        case .date(let stored):
            guard truth.total > 0 else { return true }
            if let newestLive = truth.newestLive, stored < newestLive { return true }
            guard let newest = truth.newest else { return false }
            return stored > newest + toleranceMS
        case .some:
            return true
        }
    }

    /// The change that mends it, or nil when nothing is wrong.
    func repair(_ counter: Counter) -> FieldChange? {
        let codes = codes(toleranceMS: counter.toleranceMS)
        guard !codes.isEmpty else { return nil }
        // Both fields are compared, whichever is set: a message that arrives meanwhile changes both.
        var before: BSONDocument = [:]
        var after: BSONDocument = [:]
        if let count { before.append(counter.field, count) }
        if let latest { before.append(counter.latestField, latest) }
        let mendsCount = codes.contains(.wrongCount) || codes.contains(.countType)
        if mendsCount {
            after.append(counter.field, Self.integer(truth.live))
        } else if let count {
            after.append(counter.field, count)
        }
        if codes.contains(.wrongLatest) {
            after.append(counter.latestField, (truth.newestLive ?? truth.newest).map { .date($0) } ?? .null)
        } else if let latest {
            after.append(counter.latestField, latest)
        }
        return FieldChange(id: id, before: before, after: after)
    }

    /// As the application's driver would store it.
    private static func integer(_ value: Int64) -> BSONValue {
        Int32(exactly: value).map { .int32($0) } ?? .int64(value)
    }
}
