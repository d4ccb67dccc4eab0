import Checksums
import Foundation
import MigrationEngine
import Migrations
import TestSupport
import Testing

@Suite("The chat database's steps")
struct RegistryTests {
    @Test("have versions of their own, in order, from 1 on")
    func versions() {
        #expect(ChatMigrations.steps.map(\.version) == (1...Int64(ChatMigrations.steps.count)).map { $0 })
    }

    @Test("carry the checksum that their source has")
    func checksums() throws {
        let folder = try ProjectFiles.path("Sources/Migrations")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        for step in ChatMigrations.steps {
            let prefix = "Step" + String(repeating: "0", count: 3 - String(step.version).count) + "\(step.version)"
            let file = try #require(files.first { $0.hasPrefix(prefix) })
            let source = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(file)"))
            #expect(try step.checksum == SwiftSource(source).checksum(), "\(file)")
        }
    }

    @Test("know which of them makes what is to stay")
    func installed() {
        let names = Installed.allCases.map { made in ChatMigrations.steps.first { $0.version == made.rawValue }?.name }
        #expect(names == ["guard", "indexes", "unique-users"])
    }
}
