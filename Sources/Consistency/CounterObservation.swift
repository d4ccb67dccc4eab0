internal import BSON
internal import Journal

/// A document's counter as it is stored, beside what it counts.
struct CounterObservation: Sendable, Hashable {
    let id: BSONValue
    /// The stored number and time; nil where the field is absent.
    let count: BSONValue?
    let latest: BSONValue?
    var truth: CountedValues

    /// Whether nothing has changed between two looks, of which one may know more than the other.
    func isSame(as other: CounterObservation) -> Bool {
        var (mine, its) = (self, other)
        if mine.truth.largest == nil || its.truth.largest == nil {
            (mine.truth.smallest, mine.truth.largest) = (nil, nil)
            (its.truth.smallest, its.truth.largest) = (nil, nil)
        }
        return mine == its
    }

    /// What is wrong with it, if anything.
    ///
    /// A time that is absent is a missing field, whether there is a document that it should tell of or not.
    func codes(toleranceMS: Int64) -> [FindingCode] {
        var codes: [FindingCode] = []
        if let stored = count?.integer {
            if stored != truth.live { codes.append(.wrongCount) }
        } else {
            codes.append(.countType)
        }
        if isLatestWrong(toleranceMS) { codes.append(.wrongLatest) }
        if latest == nil { codes.append(.missingField) }
        return codes
    }

    /// What of it is mended. A wrong time is left where it isn't known when the newest live document was created: what is
    /// known is never lost to what isn't. Where there is no time, none can be lost.
    func mended(toleranceMS: Int64) -> [FindingCode] {
        let isTimeMended = truth.knowsNewest || (latest == nil && truth.newestLive != nil)
        return codes(toleranceMS: toleranceMS).filter { $0 != .wrongLatest || isTimeMended }
    }

    /// What of it is left.
    func kept(toleranceMS: Int64) -> [FindingCode] {
        let mended = mended(toleranceMS: toleranceMS)
        return codes(toleranceMS: toleranceMS).filter { !mended.contains($0) }
    }

    /// What the live documents tell by themselves.
    enum LiveVerdict {
        case right, wrong
        /// The deleted ones have a say: they may be newer.
        case undecided
    }

    /// Judges an observation whose truth knows the live documents alone.
    ///
    /// It decides nearly all: the time that is stored is that of the newest document, or a little later.
    func verdict(toleranceMS: Int64) -> LiveVerdict {
        switch (latest, truth.newestLive) {
        case (nil, let newest), (.null, let newest):
            guard truth.live == 0 || newest != nil else { return .undecided }
        case (.date(let stored), .some(let newest)):
            guard stored <= newest.later(by: toleranceMS) else { return .undecided }
        default: return .undecided
        }
        // Among dates and other values the greatest needn't be a date, nor the newest known.
        guard truth.undatedLive == 0 else { return .undecided }
        return codes(toleranceMS: toleranceMS).isEmpty ? .right : .wrong
    }

    private func isLatestWrong(_ toleranceMS: Int64) -> Bool {
        switch latest {
        case nil, .null:
            return truth.live > 0
        case .date(let stored):
            guard truth.total > 0 else { return true }
            if let newestLive = truth.newestLive, stored < newestLive { return true }
            guard truth.undated == 0, let newest = truth.newest else { return false }
            return stored > newest.later(by: toleranceMS)
        case .some:
            return true
        }
    }

    /// The change that mends it, or nil when there is nothing to mend.
    func repair(_ counter: Counter) -> FieldChange? {
        let codes = mended(toleranceMS: counter.toleranceMS)
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
        if codes.contains(.wrongLatest) || codes.contains(.missingField) {
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

extension Int64 {
    /// A time so much later, or the latest there is.
    fileprivate func later(by milliseconds: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(milliseconds)
        return overflow ? .max : sum
    }
}
