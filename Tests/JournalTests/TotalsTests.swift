import BSON
import Testing

@testable import Journal

@Suite("A run's totals")
struct TotalsTests {
    private func counts(_ totals: Totals) -> [Int] { totals.leftovers.map(\.count) }

    @Test("counts what two looks at the same leave once")
    func anew() {
        let totals = Totals()
        totals.left("update", "c", 3, reason: "changed", samples: [1, 2, 3])
        totals.beginAttempt()
        totals.left("update", "c", 2, reason: "changed", samples: [1, 2])
        #expect(
            totals.leftovers == [
                Leftover(code: "update", collection: "c", count: 3, reason: "changed", samples: [1, 2, 3])
            ])
        totals.left("update", "c", 2, reason: "changed", samples: [3, 4])
        #expect(counts(totals) == [4])
    }

    @Test("adds what is left by work that is done to what is left by the work after it")
    func kept() {
        let totals = Totals()
        totals.left("aggregate", "c", 1, reason: "changed", samples: [1])
        totals.keepLeftovers()
        totals.left("aggregate", "c", 2, reason: "changed", samples: [2, 3])
        totals.beginAttempt()
        #expect(counts(totals) == [3])
        totals.left("aggregate", "c", 2, reason: "changed", samples: [2, 3])
        #expect(
            totals.leftovers == [
                Leftover(code: "aggregate", collection: "c", count: 3, reason: "changed", samples: [1, 2, 3])
            ])
        totals.keepLeftovers()
        totals.beginAttempt()
        #expect(counts(totals) == [3])
    }

    @Test("tells steps apart, and adds them up")
    func steps() {
        let totals = Totals()
        for step in [1, 2] as [Int64] {
            totals.step = step
            totals.left("aggregate", "c", 1, reason: "changed", samples: [7])
            totals.beginAttempt()
        }
        #expect(counts(totals) == [2])
        let one = [Leftover(code: "aggregate", collection: "c", count: 1, reason: "changed", samples: [7])]
        #expect(totals.leftovers(of: 1) == one && totals.leftovers(of: 2) == one)
        // The first is tried again.
        totals.step = 1
        totals.left("aggregate", "c", 1, reason: "changed", samples: [7])
        #expect(counts(totals) == [2])
    }

    @Test("keeps a few samples, however many there are")
    func samples() {
        let totals = Totals()
        for start in [0, 100] {
            totals.left("delete", "c", 50, reason: "changed", samples: (start..<start + 50).map { .int32(Int32($0)) })
            totals.keepLeftovers()
        }
        #expect(totals.leftovers.map(\.samples.count) == [Leftover.mostSamples])
        #expect(counts(totals) == [100])
    }

    @Test("more reasons than a record can hold are added up, and none is longer than a page")
    func manyReasons() {
        let totals = Totals()
        let huge = String(repeating: "x", count: 1 << 20)
        for step in 1...3 as ClosedRange<Int64> {
            totals.step = step
            for index in 0..<300 {
                totals.left("id.empty", "c", 1, reason: "\(index) \(huge.prefix(2_000))", samples: [.string(huge)])
            }
        }
        #expect(totals.leftovers.count <= 201)
        #expect(totals.leftovers.reduce(0) { $0 + $1.count } == 900)
        #expect(totals.leftovers.allSatisfy { $0.reason.description.count <= 1_001 })
        let samples = BSONArray(totals.leftovers.flatMap(\.samples))
        #expect((["all": .array(samples)] as BSONDocument).byteCount < 2 << 20)
    }
}
