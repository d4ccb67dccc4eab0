package import MongoDriver

extension Database {
    /// The same database through another connection.
    package func on(_ client: MongoClient) -> Database {
        var database = Database(
            client: client, name: name, server: server, readPreference: readPreference, catalog: catalog)
        database.progress = progress
        return database
    }

    /// Works items off, several at once, each on a connection of its own.
    ///
    /// The first error ends all workers at their next item and is thrown when the last of them has ended. So does the
    /// cancelling of the calling task, which is thrown as `CancellationError`.
    ///
    /// - Parameters:
    ///   - count: How many at once; 1 or more.
    ///   - run: The run that writes; what its workers write is durable when they have ended.
    ///   - next: The next item; nil when there are no more.
    ///   - body: Works on one item, through its worker's connection.
    package func inWorkers<Item: Sendable>(
        _ count: Int, writing run: Run? = nil, next: @escaping @Sendable (Database) async throws -> Item?,
        each body: @escaping @Sendable (Database, Item) async throws -> Void
    ) async throws {
        let database = self
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<max(count, 1) {
                group.addTask {
                    try await database.client.withSibling { client in
                        let worker = database.on(client)
                        let work = {
                            // What is left undone is never passed over in silence.
                            try Task.checkCancellation()
                            while let item = try await next(worker) {
                                try await body(worker, item)
                                try Task.checkCancellation()
                            }
                        }
                        guard let run else { return try await work() }
                        try await run.on(worker).durably(work)
                    }
                }
            }
            // Unlike `waitForAll`, this ends the others when one has thrown.
            while try await group.next() != nil {}
        }
    }
}

extension Run {
    /// The same run, writing through another connection to its database.
    package func on(_ database: Database) -> Run { Run(self, on: database) }

    /// Works items off as ``Database/inWorkers(_:next:each:)`` does, writing through each worker's own connection.
    package func inWorkers<Item: Sendable>(
        _ count: Int, next: @escaping @Sendable (Database) async throws -> Item?,
        each body: @escaping @Sendable (Run, Item) async throws -> Void
    ) async throws {
        try await database.inWorkers(count, writing: self, next: next, each: { try await body(self.on($0), $1) })
    }
}
