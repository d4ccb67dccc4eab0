import BSON
import Testing

@testable import Journal

@Suite("A run's tally")
struct TallyTests {
    private func counts(_ tally: Tally) -> [Int] { tally.leftovers.map(\.count) }

    @Test("counts what two looks at the same leave once")
    func anew() {
        let tally = Tally()
        tally.left("update", "c", 3, reason: "changed", samples: [1, 2, 3])
        tally.beginAttempt()
        tally.left("update", "c", 2, reason: "changed", samples: [1, 2])
        #expect(
            tally.leftovers == [
                Leftover(code: "update", collection: "c", count: 3, reason: "changed", samples: [1, 2, 3])
            ])
        tally.left("update", "c", 2, reason: "changed", samples: [3, 4])
        #expect(counts(tally) == [4])
    }

    @Test("adds what is left by work that is done to what is left by the work after it")
    func kept() {
        let tally = Tally()
        tally.left("aggregate", "c", 1, reason: "changed", samples: [1])
        tally.keepLeftovers()
        tally.left("aggregate", "c", 2, reason: "changed", samples: [2, 3])
        tally.beginAttempt()
        #expect(counts(tally) == [3])
        tally.left("aggregate", "c", 2, reason: "changed", samples: [2, 3])
        #expect(
            tally.leftovers == [
                Leftover(code: "aggregate", collection: "c", count: 3, reason: "changed", samples: [1, 2, 3])
            ])
        tally.keepLeftovers()
        tally.beginAttempt()
        #expect(counts(tally) == [3])
    }

    @Test("tells steps apart, and adds them up")
    func steps() {
        let tally = Tally()
        for step in [1, 2] as [Int64] {
            tally.step = step
            tally.left("aggregate", "c", 1, reason: "changed", samples: [7])
            tally.beginAttempt()
        }
        #expect(counts(tally) == [2])
        let one = [Leftover(code: "aggregate", collection: "c", count: 1, reason: "changed", samples: [7])]
        #expect(tally.leftovers(of: 1) == one && tally.leftovers(of: 2) == one)
        // The first is tried again.
        tally.step = 1
        tally.left("aggregate", "c", 1, reason: "changed", samples: [7])
        #expect(counts(tally) == [2])
    }

    @Test("keeps a few samples, however many there are")
    func samples() {
        let tally = Tally()
        for start in [0, 100] {
            tally.left("delete", "c", 50, reason: "changed", samples: (start..<start + 50).map { .int32(Int32($0)) })
            tally.keepLeftovers()
        }
        #expect(tally.leftovers.map(\.samples.count) == [Leftover.mostSamples])
        #expect(counts(tally) == [100])
    }

    @Test("more reasons than a record can hold are added up, and none is longer than a page")
    func manyReasons() {
        let tally = Tally()
        let huge = String(repeating: "x", count: 1 << 20)
        for step in 1...3 as ClosedRange<Int64> {
            tally.step = step
            for index in 0..<300 {
                tally.left("id.empty", "c", 1, reason: "\(index) \(huge.prefix(2_000))", samples: [.string(huge)])
            }
        }
        #expect(tally.leftovers.count <= 201)
        #expect(tally.leftovers.reduce(0) { $0 + $1.count } == 900)
        #expect(tally.leftovers.allSatisfy { $0.reason.description.count <= 1_001 })
        let samples = BSONArray(tally.leftovers.flatMap(\.samples))
        #expect((["all": .array(samples)] as BSONDocument).byteCount < 2 << 20)
    }
}
