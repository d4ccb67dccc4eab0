package import Journal

/// Decides which steps to apply or to revert. Pure: it knows the steps and the ledger, and no server.
package enum MigrationPlanner {
    /// What the caller wants.
    package enum Request: Sendable, Equatable {
        /// Apply everything that is pending, up to a version.
        case up(to: Int64?)
        /// Revert everything that is applied above a version; nil reverts the newest one.
        case down(to: Int64?)
    }

    /// What the planner needs to know of a step.
    package struct Step: Sendable, Equatable {
        /// The step's version.
        package let version: Int64
        /// The step's name.
        package let name: String
        /// The checksum of its source, where it has one.
        package let checksum: String?
        /// Others that stand for the same source.
        package let formerChecksums: Set<String>
        /// The lowest version that a step of its kind may have: golang-migrate's may be 0.
        package let lowestVersion: Int64

        /// Names a step.
        package init(
            version: Int64, name: String, checksum: String? = nil, formerChecksums: Set<String> = [],
            lowestVersion: Int64 = 1
        ) {
            self.formerChecksums = formerChecksums
            self.lowestVersion = lowestVersion
            self.version = version
            self.name = name
            self.checksum = checksum
        }
    }

    /// What the planner needs to know of a row of the ledger.
    package struct Record: Sendable, Equatable {
        /// Where the step stands.
        package let state: StepState
        /// The checksum of the source that it was begun with; nil where none was kept.
        package let checksum: String?

        /// Describes a row.
        package init(_ state: StepState, checksum: String? = nil) {
            self.state = state
            self.checksum = checksum
        }
    }

    /// Chooses the versions to work on, in the order to work on them.
    ///
    /// - Parameters:
    ///   - steps: The known steps, in any order.
    ///   - ledger: What the ledger knows of each version.
    ///   - request: What is wanted.
    ///   - allowOutOfOrder: Apply pending steps that are older than the newest applied one.
    /// - Throws: ``EngineError/ledger(_:)`` when steps and ledger contradict each other;
    ///   ``EngineError/notFound(_:)`` for a version that doesn't exist.
    package static func versions(
        steps: [Step], ledger: [Int64: Record], request: Request, allowOutOfOrder: Bool = false
    ) throws(EngineError) -> [Int64] {
        try check(steps)
        switch request {
        case .up(let target): return try up(steps, ledger, target, allowOutOfOrder)
        case .down(let target): return try down(steps, ledger, target)
        }
    }

    /// What is wrong with each version.
    package static func problems(steps: [Step], ledger: [Int64: Record]) -> [Int64: [StepProblem]] {
        var problems: [Int64: [StepProblem]] = [:]
        for version in missing(steps, ledger) { problems[version, default: []].append(.missing) }
        for step in edited(steps, ledger) { problems[step.version, default: []].append(.edited) }
        for version in outOfOrder(steps, ledger) { problems[version, default: []].append(.outOfOrder) }
        return problems
    }

    /// Looks whether steps can be told apart.
    ///
    /// - Throws: ``EngineError/ledger(_:)`` for a version that is too low, and for one that two steps have.
    package static func check(_ steps: [Step]) throws(EngineError) {
        var seen: [Int64: String] = [:]
        for step in steps {
            if step.version < step.lowestVersion {
                throw .ledger(
                    "Step \(step.version) (\(step.name)): a version must be \(step.lowestVersion) or more.")
            }
            if let other = seen.updateValue(step.name, forKey: step.version) {
                throw .ledger(
                    "Two steps have the version \(step.version): \(other) and \(step.name). Give one a new version.")
            }
        }
    }

    private static func up(
        _ steps: [Step], _ ledger: [Int64: Record], _ target: Int64?, _ allowOutOfOrder: Bool
    ) throws(EngineError) -> [Int64] {
        if let target, !steps.contains(where: { $0.version == target }) {
            throw .notFound("There is no step \(target). \(EngineAdvice.listSteps).")
        }
        try checkMissing(steps, ledger)
        try checkEdited(steps, ledger)
        let wanted = steps.map(\.version).filter { $0 <= target ?? .max && ledger[$0]?.state != .applied }.sorted()
        let late = outOfOrder(steps, ledger).filter(wanted.contains)
        if let oldest = late.first, !allowOutOfOrder {
            let before = steps.map(\.version).filter { $0 < oldest }.max() ?? 0
            throw .ledger(
                "\(list(late)) older than the newest applied step. "
                    + "\(EngineAdvice.revertOrAcceptOrder(before, isOne: late.count == 1)).")
        }
        return wanted
    }

    private static func down(
        _ steps: [Step], _ ledger: [Int64: Record], _ target: Int64?
    ) throws(EngineError) -> [Int64] {
        let effective = ledger.filter { isEffective($0.value.state) }.keys.sorted(by: >)
        guard let target else { return Array(effective.prefix(1)) }
        if target > 0, !steps.contains(where: { $0.version == target }) {
            throw .notFound("There is no step \(target). \(EngineAdvice.listSteps); 0 reverts all of them.")
        }
        return effective.filter { $0 > target }
    }

    private static func checkMissing(_ steps: [Step], _ ledger: [Int64: Record]) throws(EngineError) {
        guard let first = missing(steps, ledger).first else { return }
        throw .ledger(
            "The database has step \(first) applied, which is missing here. Use the version, or the directory, that "
                + "applied it, or a newer one; \(EngineAdvice.giveUp(first)).")
    }

    private static func checkEdited(_ steps: [Step], _ ledger: [Int64: Record]) throws(EngineError) {
        guard let first = edited(steps, ledger).first else { return }
        throw .ledger(
            "Step \(first.version) (\(first.name)) has been edited since it was applied. Restore its source and put the "
                + "change into a new step; or, if the change means nothing to a database that has the step, "
                + "\(EngineAdvice.acceptEdit(first.version)).")
    }

    private static func list(_ versions: [Int64]) -> String {
        let text = versions.map(String.init).joined(separator: ", ")
        return versions.count == 1 ? "Step \(text) is" : "Steps \(text) are"
    }

    /// What the ledger has applied and nobody knows.
    private static func missing(_ steps: [Step], _ ledger: [Int64: Record]) -> [Int64] {
        let known = Set(steps.map(\.version))
        return ledger.filter { isEffective($0.value.state) && !known.contains($0.key) }.keys.sorted()
    }

    /// Steps that were applied from another source. One that failed may be mended: that is how it comes to succeed.
    private static func edited(_ steps: [Step], _ ledger: [Int64: Record]) -> [Step] {
        steps.filter { step in
            guard let record = ledger[step.version], record.state == .applied, let then = record.checksum,
                let now = step.checksum
            else { return false }
            return then != now && !step.formerChecksums.contains(then)
        }.sorted { $0.version < $1.version }
    }

    /// Steps that were never applied and are older than the newest applied one.
    private static func outOfOrder(_ steps: [Step], _ ledger: [Int64: Record]) -> [Int64] {
        guard let newest = ledger.filter({ $0.value.state == .applied }).keys.max() else { return [] }
        return steps.map(\.version).filter { version in
            let state = ledger[version]?.state ?? .pending
            return version < newest && (state == .pending || state == .reverted)
        }.sorted()
    }

    /// Whether a step has, or may have, changed the database.
    package static func isEffective(_ state: StepState) -> Bool {
        switch state {
        case .applying, .applied, .failed, .reverting: true
        case .pending, .reverted: false
        }
    }
}
