/// Decides which steps to apply or to take back. Pure: it knows the steps and the ledger, and no server.
public enum MigrationPlanner {
    /// What the caller wants.
    public enum Request: Sendable, Equatable {
        /// Apply everything that is pending, up to a version.
        case up(to: Int64?)
        /// Take back everything that is applied above a version; nil takes back the newest one.
        case down(to: Int64?)
    }

    /// What the planner needs to know of a step.
    public struct Step: Sendable, Equatable {
        /// The step's version.
        public let version: Int64
        /// The step's name.
        public let name: String

        /// Names a step.
        public init(version: Int64, name: String) {
            self.version = version
            self.name = name
        }
    }

    /// Chooses the versions to work on, in the order to work on them.
    ///
    /// - Parameters:
    ///   - steps: The known steps, in any order.
    ///   - ledger: The state of each version that the ledger knows.
    ///   - request: What is wanted.
    ///   - allowOutOfOrder: Apply pending steps that are older than the newest applied one.
    /// - Throws: ``EngineError/ledger(_:)`` when steps and ledger contradict each other;
    ///   ``EngineError/notFound(_:)`` for a version that doesn't exist.
    public static func versions(
        steps: [Step], ledger: [Int64: StepState], request: Request, allowOutOfOrder: Bool = false
    ) throws(EngineError) -> [Int64] {
        try checkSteps(steps)
        switch request {
        case .up(let target): return try up(steps, ledger, target, allowOutOfOrder)
        case .down(let target): return try down(steps, ledger, target)
        }
    }

    /// What is wrong with a version: `missing`, or `out-of-order`.
    public static func problems(steps: [Step], ledger: [Int64: StepState]) -> [Int64: [String]] {
        let known = Set(steps.map(\.version))
        var problems: [Int64: [String]] = [:]
        for (version, state) in ledger where isEffective(state) && !known.contains(version) {
            problems[version, default: []].append("missing")
        }
        for version in outOfOrder(steps, ledger) { problems[version, default: []].append("out-of-order") }
        return problems
    }

    private static func checkSteps(_ steps: [Step]) throws(EngineError) {
        var seen: [Int64: String] = [:]
        for step in steps {
            if step.version <= 0 {
                throw .ledger("Step \(step.version) (\(step.name)): a version must be 1 or more.")
            }
            if let other = seen.updateValue(step.name, forKey: step.version) {
                throw .ledger(
                    "Two steps have the version \(step.version): \(other) and \(step.name). Give one a new version.")
            }
        }
    }

    private static func up(
        _ steps: [Step], _ ledger: [Int64: StepState], _ target: Int64?, _ allowOutOfOrder: Bool
    ) throws(EngineError) -> [Int64] {
        if let target, !steps.contains(where: { $0.version == target }) {
            throw .notFound("There is no step \(target). `migrate status` lists the steps.")
        }
        try checkMissing(steps, ledger)
        let wanted = steps.map(\.version).filter { $0 <= target ?? .max && ledger[$0] != .applied }.sorted()
        let late = outOfOrder(steps, ledger).filter(wanted.contains)
        if !late.isEmpty, !allowOutOfOrder {
            throw .ledger(
                "Step \(late.map(String.init).joined(separator: ", ")) is older than the newest applied step. "
                    + "Take the newer ones back first (`migrate down --to`), or apply it all the same "
                    + "(--allow-out-of-order).")
        }
        return wanted
    }

    private static func down(
        _ steps: [Step], _ ledger: [Int64: StepState], _ target: Int64?
    ) throws(EngineError) -> [Int64] {
        let effective = ledger.filter { isEffective($0.value) }.keys.sorted(by: >)
        guard let target else { return Array(effective.prefix(1)) }
        if target != 0, !steps.contains(where: { $0.version == target }) {
            throw .notFound("There is no step \(target). `migrate status` lists the steps; 0 takes everything back.")
        }
        return effective.filter { $0 > target }
    }

    private static func checkMissing(_ steps: [Step], _ ledger: [Int64: StepState]) throws(EngineError) {
        let known = Set(steps.map(\.version))
        let missing = ledger.filter { isEffective($0.value) && !known.contains($0.key) }.keys.sorted()
        guard let first = missing.first else { return }
        throw .ledger(
            "The database has step \(first) applied, which this version of the tool doesn't know. "
                + "Use the version that applied it, or a newer one.")
    }

    /// Steps that were never applied and are older than the newest applied one.
    private static func outOfOrder(_ steps: [Step], _ ledger: [Int64: StepState]) -> [Int64] {
        guard let newest = ledger.filter({ $0.value == .applied }).keys.max() else { return [] }
        return steps.map(\.version).filter { version in
            let state = ledger[version] ?? .pending
            return version < newest && (state == .pending || state == .reverted)
        }.sorted()
    }

    /// Whether a step has, or may have, changed the database.
    private static func isEffective(_ state: StepState) -> Bool {
        switch state {
        case .applying, .applied, .failed, .reverting: true
        case .pending, .reverted: false
        }
    }
}
