internal import BSON
package import Journal
internal import MongoDriver

/// Creates the indexes that the schema asks for.
package struct IndexRepair: Sendable {
    private let database: Database
    private let schema: DatabaseSchema
    private let isUnique: Bool

    /// Makes a repair.
    ///
    /// - Parameter isUnique: Whether it is about the unique indexes or about the others.
    package init(database: Database, schema: DatabaseSchema, isUnique: Bool) {
        self.database = database
        self.schema = schema
        self.isUnique = isUnique
    }

    /// What the repair would do. Changes nothing.
    ///
    /// - Parameter leavesBlocked: As of ``apply(_:leavesBlocked:)``.
    /// - Throws: `MongoError`.
    package func plan(leavesBlocked: Bool = false) async throws -> StepPlan {
        var plan = StepPlan()
        for missing in try await missing() {
            let reasons = leavesBlocked ? try await blockers(missing, isEmpty: false) : []
            guard reasons.isEmpty else {
                plan.leftovers.append(leftover(missing, reasons))
                continue
            }
            let what = missing.index.isUnique ? "create unique index" : "create index"
            plan.operations.append(
                PlannedOperation(
                    code: "create index", collection: missing.collection, operation: "\(what) \(missing.name)",
                    matched: 1, access: .scan, risk: missing.index.isUnique ? .careful : .safe,
                    warnings: try await blockers(missing, isEmpty: false)))
        }
        return plan
    }

    /// Why an index can't be created: duplicates, named, or another index in its place.
    ///
    /// - Throws: `MongoError`.
    package func blockers() async throws -> [String] {
        var result: [String] = []
        let missing = try await missing()
        let holding = isUnique ? try await database.holding(Set(missing.map(\.collection)).sorted()) : []
        for missing in missing { result += try await blockers(missing, isEmpty: !holding.contains(missing.collection)) }
        return result
    }

    /// Creates what is missing.
    ///
    /// - Parameter leavesBlocked: Whether what the data, or another index, stand in the way of is left, with the reason; else
    ///   it makes the repair fail.
    /// - Throws: `EngineError`, `MongoError`.
    package func apply(_ run: Run, leavesBlocked: Bool = false) async throws {
        var missing = try await missing()
        if leavesBlocked {
            var free: [Missing] = []
            for index in missing {
                let reasons = try await blockers(index, isEmpty: false)
                if reasons.isEmpty { free.append(index) } else { run.totals.left(leftover(index, reasons)) }
            }
            missing = free
        }
        guard !missing.isEmpty else { return }
        let names = Set(missing.map(\.collection)).sorted().joined(separator: ", ")
        run.progress(ProgressUpdate("indexes of \(names)"))
        _ = try await run.recording("create index", in: names, isRepeated: true) {
            try await run.make(missing.map { .createIndex($0.document, on: $0.collection) })
        }
    }

    private func leftover(_ missing: Missing, _ reasons: [String]) -> Leftover {
        Leftover(
            code: FindingCode.missingIndex.rawValue, collection: missing.collection, count: 1,
            reason: Sentence("\(missing.name) can't be made: \(reasons.joined(separator: "; "))"))
    }

    /// An index that isn't there, and what becomes of it.
    private struct Missing {
        let collection: String
        let index: IndexSpecification
        /// What it is to be called: another index may have its usual name.
        var name: String
        /// Why the server refuses it beside those that are there; nil where it doesn't.
        var conflict: String?

        var document: BSONDocument { index.document.replacing("name", with: .string(name)) }
    }

    private func missing() async throws -> [Missing] {
        var result: [Missing] = []
        let descriptions = try await database.collections()
        for collection in schema.collections where descriptions[collection.name]?.isOrdinary ?? true {
            let wanted = collection.indexes.filter { $0.isUnique == isUnique }
            guard !wanted.isEmpty else { continue }
            let collation = descriptions[collection.name]?.collation
            let present = try await database.indexes(of: collection.name)
            var conflicts = IndexConflicts(
                present: present, collation: collation, wireVersion: database.server.wireVersion)
            for index in wanted {
                if present.contains(where: { IndexMatch.serves($0, index.document, collation: collation) }) { continue }
                let names = [index.name, index.name + (isUnique ? "_unique" : "_plain")]
                result.append(Self.place(index, in: collection.name, names, &conflicts))
            }
        }
        return result
    }

    /// Finds the name under which the server takes an index: the usual one, or another, where an index of the application's
    /// own has that.
    private static func place(
        _ index: IndexSpecification, in collection: String, _ names: [String], _ conflicts: inout IndexConflicts
    ) -> Missing {
        var missing = Missing(collection: collection, index: index, name: index.name)
        for name in names {
            missing.name = name
            guard case .refused(let reason) = conflicts.add(missing.document) else {
                missing.conflict = nil
                return missing
            }
            missing.conflict = missing.conflict ?? reason
        }
        missing.name = index.name
        return missing
    }

    /// An index by what tells it from others.
    private static func words(_ index: BSONDocument) -> String {
        let own = index.elements.filter { $0.key != "name" && $0.key != "v" }
        return BSONDocument(own.map { ($0.key, $0.value) }).debugDescription
    }

    private func blockers(_ missing: Missing, isEmpty: Bool) async throws -> [String] {
        if missing.conflict != nil {
            let present = try await database.indexes(of: missing.collection)
            let other = present.first {
                $0["name"]?.string == missing.name || IndexMatch.sameKey($0, missing.index.document)
            }
            guard let other else { return ["\(missing.collection) \(missing.conflict ?? "")"] }
            return [
                "\(missing.collection) has the index \(other["name"]?.string ?? "?"), which the server lets no other "
                    + "stand beside; drop it first. Wanted is \(Self.words(missing.document))"
            ]
        }
        guard missing.index.isUnique, !isEmpty else { return [] }
        return try await Duplicates.sentences(missing.document, in: missing.collection, database)
    }
}
