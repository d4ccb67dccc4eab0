import BSON
import TestSupport
import Testing

@Suite("Commands that change nothing")
struct NothingChangedTests {
    @Test("check, plan, status and every dry run leave the whole server as it is", arguments: TestServer.Kind.allCases)
    func nothing(kind: TestServer.Kind) async throws {
        let server = try await TestServer.start(kind)
        do {
            try await server.withDatabase { database in
                try await database.loadIncident()
                let before = try await ServerImage(of: server, .naturalOrder)
                for command in Self.commands {
                    let result = try await Tool.run(command + target(database))
                    #expect([0, 1, 2].contains(result.exitCode), "\(command)\n\(result)")
                    let after = try await ServerImage(of: server, .naturalOrder)
                    #expect(before.differences(to: after) == [], "\(command)")
                }
            }
        } catch {
            try await server.stop()
            throw error
        }
        try await server.stop()
    }

    static let commands = [
        ["check"], ["check", "--only", "ref,count", "--strict"], ["migrate", "plan"], ["migrate", "status"],
        ["migrate", "up", "--dry-run"], ["migrate", "down", "--dry-run", "--to", "0"], ["repair", "--dry-run"],
        ["repair", "ids", "--dry-run"], ["repair", "references", "--dry-run"], ["repair", "counts", "--dry-run"],
        ["repair", "all", "--dry-run", "--yes"], ["seed", "--dry-run"], ["runs", "list"],
    ]

    @Test("a plan that is refused or not confirmed leaves everything as it is")
    func refused() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let before = try await ServerImage(of: database, .naturalOrder)
            for command in [
                ["repair", "all"], ["migrate", "up"], ["migrate", "up", "--yes", "--max-changes", "3"],
                ["repair", "all", "--yes", "--max-changes", "1%"],
            ] {
                let result = try await Tool.run(command + target(database))
                #expect(result.exitCode == 4, "\(command)\n\(result)")
                let after = try await ServerImage(of: database, .naturalOrder)
                #expect(before.differences(to: after) == [], "\(command)")
            }
        }
    }

    @Test("a dry run says what the repair then does")
    func dryRunIsRight() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let plan = try await json(["repair", "ids", "--dry-run"], on: database, expecting: 0)
            #expect(plan["dryRun"]?.bool == true)
            #expect(plan["run"]?.isNull == true)
            let repair = try await json(["repair", "ids", "--yes"], on: database, expecting: 0)
            #expect(plan.counts(of: "changes", "changed") == repair.counts(of: "changes", "changed"))
        }
    }
}
