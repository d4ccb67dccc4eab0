import Journal
import MigrationEngine
import Testing

@Suite("The planner")
struct MigrationPlannerTests {
    static let steps = (1...4).map { MigrationPlanner.Step(version: $0, name: "step-\($0)") }

    private func versions(
        _ ledger: [Int64: StepState], _ request: MigrationPlanner.Request, outOfOrder: Bool = false,
        steps: [MigrationPlanner.Step] = MigrationPlannerTests.steps
    ) throws -> [Int64] {
        try MigrationPlanner.versions(
            steps: steps, ledger: ledger.mapValues { MigrationPlanner.Record($0) }, request: request,
            allowOutOfOrder: outOfOrder)
    }

    private func problems(_ ledger: [Int64: StepState]) -> [Int64: [StepProblem]] {
        MigrationPlanner.problems(steps: Self.steps, ledger: ledger.mapValues { MigrationPlanner.Record($0) })
    }

    @Test("up applies everything pending, oldest first, whatever order the steps come in")
    func upAll() throws {
        #expect(try versions([:], .up(to: nil), steps: Self.steps.reversed()) == [1, 2, 3, 4])
        #expect(try versions([1: .applied, 2: .applied], .up(to: nil)) == [3, 4])
        #expect(try versions([1: .applied], .up(to: 3)) == [2, 3])
        #expect(try versions([1: .applied, 2: .applied, 3: .applied, 4: .applied], .up(to: nil)) == [])
    }

    @Test(
        "up takes up again what was killed, failed, or reverted",
        arguments: [StepState.applying, .failed, .reverting])
    func resumes(state: StepState) throws {
        #expect(try versions([1: .applied, 2: state], .up(to: nil)) == [2, 3, 4])
    }

    @Test("a state that may have changed the database is never passed over", arguments: [StepState.applying, .failed])
    func resumesBehind(state: StepState) throws {
        #expect(try versions([1: .applied, 2: state, 3: .applied], .up(to: nil)) == [2, 4])
    }

    @Test(
        "a pending step older than the newest applied is refused unless allowed",
        arguments: [StepState.pending, .reverted])
    func outOfOrder(state: StepState) throws {
        let ledger: [Int64: StepState] = [1: .applied, 2: state, 3: .applied]
        #expect(throws: EngineError.self) { try versions(ledger, .up(to: nil)) }
        #expect(try versions(ledger, .up(to: nil), outOfOrder: true) == [2, 4])
        #expect(problems(ledger) == [2: [.outOfOrder]])
    }

    @Test("down reverts newest first: the newest alone, down to a version, or all")
    func down() throws {
        let ledger: [Int64: StepState] = [1: .applied, 2: .applied, 3: .failed, 4: .reverted]
        #expect(try versions(ledger, .down(to: nil)) == [3])
        #expect(try versions(ledger, .down(to: 1)) == [3, 2])
        #expect(try versions(ledger, .down(to: 0)) == [3, 2, 1])
        #expect(try versions([:], .down(to: 0)) == [])
    }

    @Test("down reverts a step that isn't known any more: the journal knows how")
    func downMissing() throws {
        #expect(try versions([1: .applied, 9: .applied], .down(to: 0)) == [9, 1])
    }

    @Test("an applied step that is gone stops up, and shows as missing")
    func missing() throws {
        let ledger: [Int64: StepState] = [1: .applied, 9: .applied]
        #expect(throws: EngineError.self) { try versions(ledger, .up(to: nil)) }
        #expect(problems(ledger)[9] == [.missing])
        #expect(try versions([9: .reverted], .up(to: nil)) == [1, 2, 3, 4])
    }

    @Test("unknown versions, equal versions and versions below 1 are refused")
    func refusals() {
        #expect(throws: EngineError.self) { try versions([:], .up(to: 7)) }
        #expect(throws: EngineError.self) { try versions([1: .applied], .down(to: 7)) }
        #expect(throws: EngineError.self) {
            try versions([:], .up(to: nil), steps: Self.steps + [.init(version: 2, name: "again")])
        }
        #expect(throws: EngineError.self) { try versions([:], .up(to: nil), steps: [.init(version: 0, name: "zero")]) }
    }

    @Test(
        "a step whose source isn't the one it was applied from stops up, and shows as edited; one that isn't whole may be mended",
        arguments: [StepState.pending, .applying, .applied, .failed, .reverting, .reverted])
    func edited(state: StepState) throws {
        let steps = [MigrationPlanner.Step(version: 1, name: "a", checksum: "new"), .init(version: 2, name: "b")]
        let ledger: [Int64: MigrationPlanner.Record] = [1: .init(state, checksum: "old")]
        let problems = MigrationPlanner.problems(steps: steps, ledger: ledger)
        guard state == .applied else {
            #expect(problems == [:])
            #expect(try MigrationPlanner.versions(steps: steps, ledger: ledger, request: .up(to: nil)) == [1, 2])
            return
        }
        #expect(problems == [1: [.edited]])
        let error = #expect(throws: EngineError.self) {
            try MigrationPlanner.versions(steps: steps, ledger: ledger, request: .up(to: nil))
        }
        #expect("\(try #require(error))".contains("Step 1 (a) has been edited since it was applied."))
        #expect(try MigrationPlanner.versions(steps: steps, ledger: ledger, request: .down(to: 0)) == [1])
    }

    @Test("a checksum that was never kept, or that the step hasn't, is no edit")
    func unknownChecksum() {
        let step = MigrationPlanner.Step(version: 1, name: "a", checksum: "new")
        #expect(MigrationPlanner.problems(steps: [step], ledger: [1: .init(.applied)]) == [:])
        let bare = MigrationPlanner.Step(version: 1, name: "a")
        #expect(MigrationPlanner.problems(steps: [bare], ledger: [1: .init(.applied, checksum: "old")]) == [:])
    }

    /// Every state of every step, and every request: what must hold of each plan.
    @Test("every ledger and every request gives a plan that is sorted, wanted and possible, or a refusal")
    func exhaustive() throws {
        let states: [StepState] = [.pending, .applying, .applied, .failed, .reverting, .reverted]
        let targets: [Int64?] = [nil, 0, 1, 2, 3]
        var plans = 0
        for first in states {
            for second in states {
                for third in states {
                    let ledger: [Int64: StepState] = [1: first, 2: second, 3: third]
                    for target in targets {
                        if let up = try? versions(
                            ledger, .up(to: target), outOfOrder: true, steps: Array(Self.steps.prefix(3)))
                        {
                            #expect(up == up.sorted() && up.allSatisfy { ledger[$0] != .applied && $0 <= target ?? 3 })
                            plans += 1
                        }
                        if let down = try? versions(ledger, .down(to: target), steps: Array(Self.steps.prefix(3))) {
                            #expect(down == down.sorted(by: >))
                            #expect(down.allSatisfy { ledger[$0] != .pending && ledger[$0] != .reverted })
                            plans += 1
                        }
                    }
                }
            }
        }
        #expect(plans == 216 * 4 + 216 * 5)
    }
}
