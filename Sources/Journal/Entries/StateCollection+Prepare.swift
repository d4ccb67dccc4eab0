internal import BSON
internal import MongoDriver

extension StateCollection {
    /// Makes the collections that a run writes to, with the indexes that resuming and undoing read by.
    ///
    /// They are made explicitly because a transaction on an old server can't make them in passing.
    static func prepare(_ run: Run) async throws {
        let present = try await run.database.collections()
        // The journal is made with its indexes.
        for name in [runs, migrations] where present[name] == nil {
            do {
                try await run.changeCatalog(CatalogCommand.create(name))
            } catch let error as MongoError where error.code == MongoError.ServerCode.namespaceExists {
                continue
            }
        }
        try await run.changeCatalog(
            CatalogCommand.createIndexes(
                journal,
                [
                    // Entries that the next run has to finish.
                    ["key": ["open": 1], "name": "open", "sparse": true],
                    // What became of documents that had some `_id` before.
                    [
                        "key": ["collection": 1, "oldId": 1], "name": "oldId",
                        "partialFilterExpression": ["oldId": ["$exists": true]],
                    ],
                    // A document is on its way by one entry at a time, whoever writes it.
                    [
                        "key": ["oldId": 1, "collection": 1], "name": "holds", "unique": true,
                        "partialFilterExpression": ["holds": true],
                    ],
                    // The references that followed a moved document.
                    [
                        "key": ["_id.r": 1, "parent": 1], "name": "parent",
                        "partialFilterExpression": ["parent": ["$exists": true]],
                    ],
                ]))
    }
}
