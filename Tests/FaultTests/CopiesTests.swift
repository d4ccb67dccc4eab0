import BSON
import Foundation
import MongoDriver
import TestSupport
import Testing

@Suite("Several at once", .serialized)
struct CopiesTests {
    @Test("one works and the others wait or say who does", arguments: KillMatrixTests.topologies, [2, 4, 8])
    func copies(kind: TestServer.Kind, count: Int) async throws {
        for round in 0..<(Effort.isFull ? 20 : 1) {
            try await TestServer.shared(kind).withDatabase { database in
                try await database.loadIncident()
                let target = ["--uri", database.uri, "--database", database.name]
                let ended = try await withThrowingTaskGroup(of: ToolResult.self) { group in
                    for index in 0..<count {
                        let wait = index % 2 == 0 ? ["--wait", "60"] : []
                        group.addTask {
                            try await Tool.run(["migrate", "up", "--offline", "--yes"] + wait + target)
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                let codes = ended.map(\.exitCode)
                // Something that can't be repaired is left: 1. Who didn't want to wait may have been turned away: 75.
                #expect(codes.allSatisfy { $0 == 1 || $0 == 75 }, "round \(round): \(ended)")
                #expect(codes.filter { $0 == 1 }.count >= (count + 1) / 2)
                #expect(try await IncidentTruth.fixture.verify(database) == [])
                #expect(try await database.count("chat_admin.runs") == 1)
            }
        }
    }
}
