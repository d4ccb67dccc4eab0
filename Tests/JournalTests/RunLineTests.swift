import BSON
import Journal
import MongoDriver
import Synchronization
import TestSupport
import Testing

@Suite("Runs that hand over to one another")
struct RunLineTests {
    @Test("take a pause over, and leave no trace where they have done nothing")
    func pause() async throws {
        try await withDatabase { database in
            try await database.load("things", [["_id": 1, "a": 1]])
            try await withRun(on: database) { first in
                let ended = Mutex<[ObjectID]>([])
                let line = RunLine(first) { run in ended.withLock { $0.append(run.id) } }
                let change = FieldChange(id: 1, before: ["a": 1], after: ["a": 2])
                #expect(try await first.apply([change], in: "things", code: "test").isEmpty)
                let second = try await line.begin()
                // Both are at work: somebody asks the one that they see in the list.
                try await RunRecord.setPause(true, first.database, id: first.id)
                try await line.endEarlier()
                #expect(ended.withLock { $0 } == [first.id])
                #expect(try await database.count("chat_admin.runs", ["state": "done"]) == 1)
                let paused: BSONDocument = ["_id": .objectID(second.id), "state": "running", "pause": true]
                #expect(try await database.count("chat_admin.runs", paused) == 1)
                try await line.end()
                #expect(try await database.count("chat_admin.runs") == 1)
            }
        }
    }
}
