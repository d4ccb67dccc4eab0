import Foundation
import TestSupport
import Testing

@testable import Chat

@Suite("Users to seed")
struct SeedUserTests {
    @Test("the built-in users are those of fixtures/users.json")
    func defaults() async throws {
        #expect(try await SeedFile.read(ProjectFiles.path("fixtures/users.json"), now: 0) == .builtIn)
    }

    @Test("a password's hash verifies, is salted, and has the application's form")
    func hashes() async throws {
        let first = try await PasswordHash.make("alicepass123")
        let second = try await PasswordHash.make("alicepass123")
        #expect(first != second)
        #expect(first.hasPrefix("$2b$12$") && first.count == 60)
        #expect(await PasswordHash.verify("alicepass123", first))
        #expect(await !PasswordHash.verify("alicepass124", first))
        #expect(await !PasswordHash.verify("alicepass123", "plain"))
        #expect(await !PasswordHash.verify("alicepass123", ""))
    }

    @Test("the hashes that are known beforehand are those that would be made", arguments: DemoUsers.users(3))
    func known(user: SeedUser) async throws {
        let salt = try SeedIdentity.salt(user.saltName, seed: 0)
        let made = try await PasswordHash.make(user.password, salt: salt)
        #expect(PasswordWork.known.contains { $0 == (user.password, made) })
        #expect(try await PasswordWork().hash(user.password, salt: salt) == made)
    }

    @Test(
        "passwords that bcrypt would cut short are refused", arguments: ["", String(repeating: "x", count: 73), "a\0b"])
    func refused(password: String) async {
        await #expect(throws: PasswordHash.Failure.self) { try await PasswordHash.make(password) }
    }
}
