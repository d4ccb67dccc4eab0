internal import BSON
internal import MongoDriver

/// Writes that a run had sent before it lost its lease, and that the server hasn't carried out yet.
///
/// They can't be told from the application's. So whoever takes over waits until what is being written by then is written;
/// what begins later isn't waited for. A write that arrives still later changes what it finds as it was observed, and
/// nothing else.
struct LateWrites {
    let run: Run
    /// Those before it that are of the same command.
    var earlier: [Run] = []

    /// By then a run that has lost its lease knows it, for it asks before it sends anything more.
    private static let grace = RunGate.confirmation + .milliseconds(50)
    /// The application's own writes may take long; these aren't waited for any longer.
    private static let patience = Duration.seconds(10)
    private static let interval = Duration.milliseconds(50)

    /// Waits, if a run that is no more the one at work hasn't come to its end.
    ///
    /// - Throws: ``EngineError`` when this run has to stop meanwhile, `MongoError`.
    func wait() async throws {
        let others: BSONDocument = [
            "_id": ["$nin": .array(BSONArray((earlier + [run]).map { .objectID($0.id) }))], "state": "running",
        ]
        guard
            try await !run.database.findAll(
                StateCollection.runs, filter: others, options: ["limit": 1, "projection": ["_id": 1]]
            ).isEmpty
        else { return }
        try await run.pause(for: Self.grace)
        let end = ContinuousClock.now + Self.patience
        var rest = try await writing()
        while !rest.isEmpty, ContinuousClock.now < end {
            try await run.pause(for: Self.interval)
            rest.formIntersection(try await writing())
        }
    }

    /// What is being written into the database just now, by the numbers that the server gives; none where it doesn't tell.
    private func writing() async throws -> Set<BSONValue> {
        let lease = run.database.namespace(StateCollection.lease).description
        let isOfDatabase: BSONValue = [
            "$eq": [["$indexOfCP": ["$ns", .string(run.database.name + ".")]], 0]
        ]
        let commands = ["findAndModify", "findandmodify", "create", "drop", "collMod", "dropIndexes"].map { name in
            BSONValue.document(["command.\(name)": ["$exists": true]])
        }
        let isWrite = BSONArray([["op": ["$in": ["insert", "update", "remove"]]]] + commands)
        let pipeline: BSONArray = [
            ["$currentOp": [:]],
            [
                "$match": [
                    "active": true, "ns": ["$ne": .string(lease)], "$expr": isOfDatabase,
                    "$or": .array(isWrite),
                ]
            ], ["$project": ["opid": 1]],
        ]
        do {
            let reply = try await run.database.client.run(
                ["aggregate": 1, "pipeline": .array(pipeline), "cursor": ["batchSize": 10_000], "maxTimeMS": 10_000],
                on: "admin")
            let found = reply.value(at: "cursor", "firstBatch")?.array?.values ?? []
            return Set(found.compactMap { $0.document?["opid"] })
        } catch let error as MongoError where error.isRefusal {
            // Some services let nobody ask.
            return []
        }
    }
}
