import BSON
import Foundation
import TestSupport
import Testing

/// The built command in a folder that looks like a clone of the application.
@Suite("In the application's folder")
struct ApplicationFolderTests {
    @Test("the database is found without help", arguments: ApplicationFolder.found)
    func finds(folder: ApplicationFolder) async throws {
        // Beside another application's database the default one is refused.
        let isAlone = folder.words.contains("by default")
        let server = try await isAlone ? TestServer.start(.standalone) : TestServer.shared(.standalone)
        let result = try await run(folder, port: server.port)
        if isAlone { try await server.stop() }
        #expect(result.exitCode == 78 && result.errors.contains("There is no database `"), "\(result)")
        let line = String(result.errors.prefix { $0 != "\n" })
        #expect(line == "Database " + Self.fill(folder.words, server.port), "\(result)")
    }

    @Test("what can't be known is refused, with file and line and no password", arguments: ApplicationFolder.refused)
    func refuses(folder: ApplicationFolder) async throws {
        let result = try await run(folder, port: 27_999)
        #expect(result.exitCode == 78, "\(result)")
        #expect(result.errors.contains(folder.words), "\(result)")
        #expect(!result.errors.contains("hunter2"), "\(result)")
    }

    @Test("what can't be read is refused, and a link is followed")
    func unreadable() async throws {
        let server = try await TestServer.shared(.standalone)
        try await withFolder { folder in
            let file = folder + "/compose.yaml"
            try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
            let directory = try await Tool.run(["check"], in: folder)
            #expect(directory.exitCode == 78, "\(directory)")
            #expect(directory.errors.contains("compose.yaml can't be read: it is a folder"), "\(directory)")
            try FileManager.default.removeItem(atPath: file)
            try Data(("# mongo\n" + String(repeating: "#", count: 2 << 20)).utf8).write(to: URL(fileURLWithPath: file))
            let large = try await Tool.run(["check"], in: folder)
            #expect(large.exitCode == 78 && large.errors.contains("more than 1024 KB"), "\(large)")
            try FileManager.default.removeItem(atPath: file)
            let elsewhere = folder + "/elsewhere.txt"
            try Data(Self.fill(ApplicationFolder.usual, server.port).utf8).write(to: URL(fileURLWithPath: elsewhere))
            try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: elsewhere)
            let link = try await Tool.run(["check", "--format", "json"], in: folder)
            #expect(link.errors.hasPrefix("Database " + Self.fill(ApplicationFolder.usualLine, server.port)), "\(link)")
            let place = try #require(link.json()["server"]?.document, "\(link)")
            #expect(place["mapping"]?.string == Self.fill(ApplicationFolder.published, server.port))
            #expect(place["from"] == "MONGO_HOST in compose.yaml")
        }
    }

    @Test("a container that isn't started is named, with what starts it")
    func stopped() async throws {
        let port = try LoopbackPort.free()
        let folder = ApplicationFolder(
            testDescription: "stopped", files: ["compose.yaml": ApplicationFolder.usual], words: "")
        let result = try await run(folder, port: port)
        #expect(result.exitCode == 69, "\(result)")
        #expect(result.errors.contains("a container's: mongo:27017 -> 127.0.0.1:\(port)"), "\(result)")
        #expect(result.errors.contains("docker compose up -d"), "\(result)")
    }

    @Test("seeding makes users in the database that the compose file names")
    func seeds() async throws {
        try await withDatabase(on: .standalone) { database in
            let folder = ApplicationFolder(
                testDescription: "seed",
                files: ["compose.yaml": ApplicationFolder.usual.replacing("folder", with: database.name)],
                words: "")
            let result = try await run(folder, "seed", port: database.server.port)
            #expect(result.exitCode == 0, "\(result)")
            #expect(try await database.all("users").count == 2)
        }
    }

    private static func fill(_ text: String, _ port: Int) -> String {
        text.replacing("<uri>", with: "mongodb://127.0.0.1:\(port)").replacing("<port>", with: "\(port)")
    }

    private func run(_ folder: ApplicationFolder, _ command: String = "check", port: Int) async throws -> ToolResult {
        let path = FileManager.default.temporaryDirectory.path + "/chat-admin-folder-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        for (name, text) in folder.files {
            try Data(Self.fill(text, port).utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        }
        return try await Tool.run(
            [command] + folder.arguments.map { Self.fill($0, port) },
            environment: folder.environment.mapValues { Self.fill($0, port) }, in: path)
    }
}
