import BSON
import Foundation
import TestSupport
import Testing

@Suite("doctor")
struct DoctorTests {
    @Test("finds everything in place", arguments: [TestServer.Kind.standalone, .replicaSet])
    func healthy(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            _ = try await json(["seed", "--yes"], on: database, expecting: 0)
            _ = try await json(["migrate", "up", "--yes", "--offline"], on: database, expecting: 0)
            let before = try await ServerImage(of: database, .naturalOrder)
            let doctor = try await json(["doctor"], on: database, expecting: 0)
            #expect(doctor["healthy"] == true && Self.of("ok", doctor).count == Self.all(doctor).count, "\(doctor)")
            let expected: Set = [
                "reachable", "settings", "user", "version", "topology", "transactions", "clock", "collections", "lease",
                "runs",
                "journal", "guard", "indexes",
            ]
            let ofSets: Set = kind == .replicaSet ? ["majority", "members"] : []
            #expect(Set(Self.all(doctor).keys) == expected.union(ofSets))
            #expect(before.differences(to: try await ServerImage(of: database, .naturalOrder)) == [])
        }
    }

    @Test("says what a run that was killed has left, who holds the lease, and what got lost")
    func unfinished() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let block = FailCommand("update", on: "\(database.name).messages").blocking(milliseconds: 1000)
            try await kill(["migrate", "up", "--offline", "--yes"], on: database, holdingBack: block, mode: .times(1))
            try await database.run(["collMod": "users", "validator": [:]])
            let soon = BSONValue.date(Int64(Date().timeIntervalSince1970 * 1000) + 60_000)
            var doctor = try await json(["doctor"], on: database, expecting: 0)
            #expect(Self.of("warning", doctor)["runs"]?.contains("was killed") == true, "\(doctor)")
            #expect(Self.of("warning", doctor)["guard"]?.contains("`repair guard`") == true, "\(doctor)")
            #expect(Self.of("warning", doctor)["indexes"]?.contains("`migrate up`") == true, "\(doctor)")
            try await database.update(
                "chat_admin.lease", ["_id": "lease"], ["$set": ["released": false, "expiresAt": soon]])
            doctor = try await json(["doctor"], on: database, expecting: 0)
            #expect(Self.of("warning", doctor)["lease"]?.contains("is held by") == true, "\(doctor)")
        }
    }

    @Test("names what a user may do, and what is missing")
    func privileges() async throws {
        let server = try await TestServer.shared(.authenticated)
        try await server.withDatabase { database in
            try await database.loadIncident()
            func doctor(_ name: String, _ roles: [String]) async throws -> [String: String] {
                let uri = try await server.createUser(
                    "\(name)_\(database.name)", password: "x",
                    roles: BSONArray(roles.map { ["role": .string($0), "db": .string(database.name)] }))
                let arguments = ["doctor", "--uri", uri, "--database", database.name, "--format", "json"]
                return Self.all(try await Tool.run(arguments).json())
            }
            #expect(
                try await doctor("none", [])["privileges"]?.hasPrefix("failure: This user may not read all") == true)
            let reader = try await doctor("reader", ["read"])
            #expect(reader["privileges"]?.hasPrefix("warning: Enough for `check`") == true, "\(reader)")
            let writer = try await doctor("writer", ["readWrite"])
            #expect(writer["privileges"]?.contains("dbAdmin") == true, "\(writer)")
            let admin = try await doctor("admin", ["readWrite", "dbAdmin"])
            #expect(admin["privileges"] == "ok: Enough for every command.", "\(admin)")

            let nobody = ["doctor", "--uri", "mongodb://127.0.0.1:\(server.port)/", "--database", database.name]
            let refused = try await Tool.run(nobody)
            #expect(refused.exitCode == 1 && refused.output.contains("asks for a user"), "\(refused)")
            #expect(refused.output.contains("1 failure."), "\(refused)")
        }
    }

    @Test("answers where no server does")
    func unreachable() async throws {
        let closed = try LoopbackPort.free()
        let doctor = try await Tool.run([
            "doctor", "--uri", "mongodb://127.0.0.1:\(closed)/?serverSelectionTimeoutMS=2000", "--format", "json",
        ])
        #expect(doctor.exitCode == 1, "\(doctor)")
        let answers = Self.all(try doctor.json())
        #expect(answers == ["reachable": "failure: Nothing answers at 127.0.0.1:\(closed) (Connection refused)."])
    }

    @Test("says what is there and can't do, and answers for names that nobody knows")
    func odd() async throws {
        try await withDatabase { database in
            _ = try await json(["seed", "--yes"], on: database, expecting: 0)
            _ = try await json(["migrate", "up", "--yes", "--offline"], on: database, expecting: 0)
            try await database.run(["drop": "artifacts"])
            try await database.run(["create": "artifacts", "viewOn": "messages", "pipeline": []])
            let view = try await json(["doctor"], on: database, expecting: 1)
            #expect(Self.of("failure", view)["collections"]?.contains("artifacts is a view") == true, "\(view)")
            #expect(Self.of("warning", view)["guard"]?.contains("artifacts") == true, "\(view)")

            let closed = try LoopbackPort.free()
            let both = "mongodb://127.0.0.1:\(database.server.port),127.0.0.1:\(closed)/"
            let oneAway = try await Tool.run(["doctor", "--uri", both, "--database", database.name])
            #expect(oneAway.output.contains("warning  reachable"), "\(oneAway)")
        }
        for uri in ["mongodb+srv://cluster.example.invalid/", "mongodb://%2Ftmp%2Fno-such-socket.sock/"] {
            let result = try await Tool.run([
                "doctor", "--uri", uri + "?serverSelectionTimeoutMS=2000", "--format", "json",
            ])
            #expect(result.exitCode == 1, "\(result)")
            #expect(try Self.all(result.json())["reachable"]?.hasPrefix("failure") == true, "\(result)")
        }
    }

    /// The answers as `status: message -> advice`, by name.
    private static func all(_ doctor: BSONDocument) -> [String: String] {
        (doctor["checks"]?.array?.values ?? []).compactMap(\.document).reduce(into: [:]) { answers, check in
            let advice = check["advice"]?.string.map { " -> \($0)" } ?? ""
            answers[check["name"]?.string ?? ""] =
                "\(check["status"]?.string ?? ""): \(check["message"]?.string ?? "")\(advice)"
        }
    }

    private static func of(_ status: String, _ doctor: BSONDocument) -> [String: String] {
        all(doctor).filter { $0.value.hasPrefix("\(status):") }
    }
}
