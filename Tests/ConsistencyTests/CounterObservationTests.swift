import BSON
import Journal
import Testing

@testable import Consistency

@Suite("Judging a counter")
struct CounterObservationTests {
    private func codes(
        _ count: BSONValue?, _ latest: BSONValue?, live: Int64 = 0, total: Int64 = 0, newestLive: Int64? = nil,
        newest: Int64? = nil
    ) -> [FindingCode] {
        var truth = CountedValues()
        truth.live = live
        truth.total = total
        truth.newestLive = newestLive
        truth.newest = newest
        return CounterObservation(id: 1, count: count, latest: latest, truth: truth).codes(toleranceMS: 60_000)
    }

    @Test("an integer of either width that counts right is right")
    func right() {
        #expect(codes(.int64(0), .null) == [])
        #expect(codes(2, .date(100), live: 2, total: 3, newestLive: 100, newest: 120) == [])
    }

    @Test(
        "another number is wrong; another type is a matter of type alone",
        arguments: [nil, .null, "3", .double(3), true] as [BSONValue?])
    func type(count: BSONValue?) {
        #expect(codes(count, .date(5), live: 3, total: 3, newestLive: 5, newest: 5) == [.countType])
        #expect(codes(-3, .date(5), live: 3, total: 3, newestLive: 5, newest: 5) == [.wrongCount])
    }

    @Test("the latest time that there is doesn't end the program")
    func endOfTime() {
        #expect(codes(1, .date(5), live: 1, total: 1, newestLive: .max, newest: .max) == [.wrongLatest])
        #expect(codes(1, .date(.max), live: 1, total: 1, newestLive: .max, newest: .max) == [])
    }

    @Test("the latest time is wrong when null beside live messages, set beside none, too early, or too late")
    func latest() {
        #expect(codes(1, nil, live: 1, total: 1, newestLive: 5, newest: 5) == [.wrongLatest, .missingField])
        #expect(codes(0, nil) == [.missingField])
        #expect(codes(1, .null, live: 1, total: 1, newestLive: 5, newest: 5) == [.wrongLatest])
        #expect(codes(0, .date(5)) == [.wrongLatest])
        #expect(codes(1, .date(4), live: 1, total: 1, newestLive: 5, newest: 5) == [.wrongLatest])
        #expect(codes(1, .date(60_005), live: 1, total: 1, newestLive: 5, newest: 5) == [])
        #expect(codes(1, .date(60_006), live: 1, total: 1, newestLive: 5, newest: 5) == [.wrongLatest])
        #expect(codes(1, "1970", live: 1, total: 1, newestLive: 5, newest: 5) == [.wrongLatest])
        // Deleted messages count for the upper bound alone.
        #expect(codes(0, .null, live: 0, total: 1, newest: 5) == [])
        #expect(codes(0, .date(5), live: 0, total: 1, newest: 5) == [])
        #expect(codes(0, .date(70_000), live: 0, total: 1, newest: 5) == [.wrongLatest])
    }

    @Test("a time that is known isn't lost to messages without a date; one that is absent may be set")
    func undated() {
        var truth = CountedValues()
        (truth.live, truth.total, truth.newestLive, truth.newest) = (2, 2, 5, 5)
        (truth.undatedLive, truth.undated) = (1, 1)
        func judge(_ latest: BSONValue?) -> (codes: [FindingCode], mended: [FindingCode], after: BSONValue?) {
            let observation = CounterObservation(id: 1, count: 7, latest: latest, truth: truth)
            let change = observation.repair(Self.counter)
            return (
                observation.codes(toleranceMS: 60_000), observation.mended(toleranceMS: 60_000), change?.after["at"]
            )
        }
        #expect(judge(.date(9_999_999)) == ([.wrongCount], [.wrongCount], .date(9_999_999)))
        #expect(judge(.date(4)) == ([.wrongCount, .wrongLatest], [.wrongCount], .date(4)))
        #expect(judge("1970") == ([.wrongCount, .wrongLatest], [.wrongCount], "1970"))
        #expect(judge(.null) == ([.wrongCount, .wrongLatest], [.wrongCount], .null))
        let absent: [FindingCode] = [.wrongCount, .wrongLatest, .missingField]
        #expect(judge(nil) == (absent, absent, .date(5)))
    }

    private static let counter = Counter(
        field: "n", latestField: "at", counted: "m", reference: "s", deletedField: "d", createdField: "c",
        toleranceMS: 60_000)
}
