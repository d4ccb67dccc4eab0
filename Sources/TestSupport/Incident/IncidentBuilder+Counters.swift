internal import BSON

extension IncidentBuilder {
    mutating func rightCount(_ totals: SessionTally) -> BSONValue {
        random.happens(0.2) ? .int64(Int64(totals.live)) : .int32(Int32(totals.live))
    }

    /// A `message_count` that is wrong, or of a wrong type; nil for none at all.
    mutating func wrongCount(_ totals: SessionTally) -> BSONValue? {
        let off = Int32(random.number(1...9))
        let live = Int32(totals.live)
        return switch random.number(0...10) {
        case 0, 1: .int32(live + off)
        case 2: .int32(live - off)
        case 3: .int32(-live - off)
        case 4: live == 0 ? .int32(1) : .int32(0)
        case 5: .null
        case 6: nil
        case 7: .string(random.pick([String(live), "many", ""]))
        case 8: .double(Double(live))
        case 9: .double(random.pick([Double(live) + 0.5, .nan, -0.0]))
        default: .int64(Int64(live + off))
        }
    }

    /// A `last_message_at` that the application could have written, or that is within what is called right.
    mutating func rightLast(_ totals: SessionTally) -> BSONValue? {
        guard let newest = totals.newest else { return random.happens(0.1) ? nil : .null }
        guard let newestLive = totals.newestLive else {
            return random.happens(0.5) ? .null : .date(newest - Int64(random.number(0...5000)))
        }
        return switch random.number(0...9) {
        case 0: .date(newest + SessionTally.tolerance)
        case 1: .date(newestLive)
        case 2: .date(newest)
        default: .date(newestLive + Int64(random.number(0...30)))
        }
    }

    mutating func wrongLast(_ session: DraftSession) -> BSONValue? {
        let totals = session.totals
        guard let newest = totals.newest else { return .date(session.createdAt + Int64(random.number(0...100_000))) }
        let tooLate = BSONValue.date(newest + SessionTally.tolerance + Int64(random.pick([1, 5000, 86_400_000])))
        guard let newestLive = totals.newestLive else { return tooLate }
        return switch random.number(0...5) {
        case 0: .date(newestLive - 1)
        case 1: .date(session.createdAt)
        case 2: tooLate
        case 3: nil
        default: .null
        }
    }
}
