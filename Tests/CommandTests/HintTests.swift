import BSON
import TestSupport
import Testing

@Suite("Errors that point the right way")
struct HintTests {
    @Test("where the connection string doesn't say which database knows the user")
    func authSource() async throws {
        try await withDatabase(on: .authenticated) { database in
            let user = try #require(database.server.credentials)
            let own = "mongodb://\(user.user):x@127.0.0.1:\(database.server.port)/"
            let path = try await Tool.run(["check", "--uri", own + database.name])
            #expect(path.exitCode == 77 && path.errors.contains("add authSource=admin"), "\(path)")
            let plain = try await Tool.run(["check", "--uri", own, "--database", database.name])
            #expect(plain.exitCode == 77 && plain.errors.contains("looked up in the database `admin`"), "\(plain)")
        }
    }

    @Test("where the server asks for a user, and there is none")
    func noUser() async throws {
        let server = try await TestServer.shared(.authenticated)
        for command in [["check"], ["seed", "--yes"], ["repair", "--yes"], ["migrate", "status"]] {
            let result = try await Tool.run(
                command + ["--uri", "mongodb://127.0.0.1:\(server.port)/", "--format", "json"])
            #expect(result.exitCode == 77 && !result.errors.contains("may not do this"), "\(result)")
            let error = try result.json()["error"]?.string ?? ""
            #expect(error.contains("asks for a user") && error.contains("CHAT_ADMIN_URI"), "\(result)")
        }
    }

    @Test("where a role is missing: the one that the command needs, and no more")
    func roles() async throws {
        let server = try await TestServer.shared(.authenticated)
        try await server.withDatabase { database in
            try await database.loadIncident()
            for (number, (role, command, needed)) in [
                ("read", "repair ids", "the role readWrite on"),
                ("readWrite", "migrate up", "the roles readWrite and dbAdmin on"),
                ("read", "migrate up", "the roles readWrite and dbAdmin on"),
            ].enumerated() {
                let uri = try await server.createUser(
                    "\(role)_\(number)_\(database.name)", password: "x",
                    roles: [["role": .string(role), "db": .string(database.name)]])
                let words = command.split(separator: " ").map(String.init)
                let result = try await Tool.run(words + ["--yes", "--uri", uri, "--database", database.name])
                #expect(result.exitCode == 77 && result.errors.contains("`\(command)` needs \(needed)"), "\(result)")
            }
        }
    }

    @Test("where the replica set is another one, or none")
    func replicaSet() async throws {
        for (kind, words) in [
            (TestServer.Kind.replicaSet, "belongs to the replica set `rs0`"),
            (.standalone, "no member of a replica set"),
        ] {
            let server = try await TestServer.shared(kind)
            let uri = "mongodb://127.0.0.1:\(server.port)/?replicaSet=other&serverSelectionTimeoutMS=2000"
            let result = try await Tool.run(["check", "--uri", uri])
            #expect(result.exitCode == 69 && result.errors.contains(words), "\(result)")
        }
        // `rs0`, as it may be written.
        let server = try await TestServer.shared(.replicaSet)
        let encoded = try await Tool.run(["doctor", "--uri", "mongodb://127.0.0.1:\(server.port)/?replicaSet=rs%30"])
        #expect(!encoded.output.contains("belongs to"), "\(encoded)")
    }

    @Test("where a name may be known to containers alone")
    func container() async throws {
        let result = try await Tool.run(
            ["check"], environment: ["MONGO_HOST": "mongo-of-compose", "MONGO_PASSWORD": ""])
        #expect(result.exitCode == 69 && result.errors.contains("network of containers"), "\(result)")
    }

    @Test("where only an arbiter answers, and where the set has no primary")
    func members() async throws {
        let set = try await TestReplicaSet.start(.arbiter)
        do {
            let arbiter = try await Tool.run(["check", "--uri", set.uri(ofMember: 2), "--database", "chat"])
            #expect(arbiter.exitCode == 69 && arbiter.errors.contains("is an arbiter"), "\(arbiter)")
            try await set.killMember(0)
            try await set.killMember(1)
            let none = try await Tool.run(["check", "--uri", set.server.uri, "--database", "chat"])
            #expect(none.exitCode == 69 && none.errors.contains("has no primary at the moment"), "\(none)")
        } catch {
            try await set.stop()
            throw error
        }
        try await set.stop()
    }
}
