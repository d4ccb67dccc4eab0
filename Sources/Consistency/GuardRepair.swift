internal import BSON
package import Journal
internal import MongoDriver

/// Puts a guard before every collection: a validator that keeps an `_id` that isn't an ObjectId out.
package struct GuardRepair: Sendable {
    private let database: Database
    private let schema: DatabaseSchema

    /// Makes a repair.
    package init(database: Database, schema: DatabaseSchema) {
        self.database = database
        self.schema = schema
    }

    /// Whether the guard stands before every collection, by their validators. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    package func stands() async throws -> Bool {
        let plan = try await plan()
        return plan.operations.isEmpty && plan.leftovers.isEmpty
    }

    /// What the repair would do. Changes nothing.
    ///
    /// - Throws: `MongoError`.
    package func plan() async throws -> StepPlan {
        var plan = StepPlan()
        let present = try await database.collections()
        for collection in schema.collections {
            guard let description = present[collection.name] else {
                plan.operations.append(operation(collection, "create with the guard"))
                continue
            }
            switch Self.guardPlan(description) {
            case .present: continue
            case .set(let options):
                let merges = options["validator"]?.document?["$and"] != nil
                let wasStrict = merges && description.options["validationLevel"]?.string ?? "strict" == "strict"
                plan.operations.append(
                    operation(
                        collection, merges ? "merge the guard with its validator" : "set the guard",
                        wasStrict ? [Self.levelWarning] : []))
            case .refused(let reason): plan.leftovers.append(leftover(collection, reason))
            }
        }
        return plan
    }

    /// Sets what is missing.
    ///
    /// - Throws: `EngineError`, `MongoError`.
    package func apply(_ run: Run) async throws {
        // Somebody may make a collection just now; then it is looked at again, for it may have a validator.
        while true {
            // What is there now is what an undo puts back.
            database.forgetCatalog()
            let (changes, refused) = Self.changes(schema, try await database.collections())
            let names = Set(changes.map(\.collection)).sorted().joined(separator: ", ")
            let isWhole = try await run.recording("set the guard", in: names, isRepeated: true) {
                try await run.make(changes)
            }
            guard isWhole else { continue }
            for (collection, reason) in refused {
                run.totals.left(FindingCode.missingGuard.rawValue, collection, 1, reason: Sentence(reason))
            }
            return
        }
    }

    /// What has to be changed, and where the guard can't be set.
    private static func changes(
        _ schema: DatabaseSchema, _ present: [String: CollectionDescription]
    ) -> (changes: [CatalogChange], refused: [(collection: String, reason: String)]) {
        var changes: [CatalogChange] = []
        var refused: [(String, String)] = []
        for collection in schema.collections {
            let description = present[collection.name]
            if description == nil { changes.append(.create(collection.name)) }
            switch description.map(guardPlan) ?? Guard.plan([:]) {
            case .present: continue
            case .set(let options):
                let before = description?.options ?? [:]
                if let change = CatalogChange.setValidator(options, on: collection.name, before: before) {
                    changes.append(change)
                }
            case .refused(let reason): refused.append((collection.name, reason))
            }
        }
        return (changes, refused)
    }

    private static func guardPlan(_ description: CollectionDescription) -> Guard.Plan {
        description.isOrdinary ? Guard.plan(description.options) : .refused("it is a \(description.type)")
    }

    private static let levelWarning =
        "its validator's level goes from strict to moderate, so that the application can still update the documents "
        + "that are to be repaired; down restores it"

    private func operation(
        _ collection: CollectionSchema, _ what: String, _ warnings: [String] = []
    ) -> PlannedOperation {
        PlannedOperation(
            code: "validator", collection: collection.name, operation: what, matched: 1, access: .index,
            risk: .careful, warnings: warnings)
    }

    private func leftover(_ collection: CollectionSchema, _ reason: String) -> Leftover {
        Leftover(
            code: FindingCode.missingGuard.rawValue, collection: collection.name, count: 1, reason: Sentence(reason))
    }
}
