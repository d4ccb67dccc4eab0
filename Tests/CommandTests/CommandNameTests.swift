import BSON
import TestSupport
import Testing

@Suite("A command line that isn't understood")
struct CommandNameTests {
    @Test(
        "is answered with what was meant",
        arguments: [
            ("chek", "There is no command `chek`. Did you mean `check`?"),
            ("seeds --dry-run", "There is no command `seeds`. Did you mean `seed`?"),
            ("repair id", "There is no command `repair id`. Did you mean `repair ids`?"),
            ("migrate stauts", "There is no command `migrate stauts`. Did you mean `migrate status`?"),
            ("up --yes", "There is no command `up`. Did you mean `migrate up`?"),
            ("undo latest", "There is no command `undo`. Did you mean `runs undo`?"),
            ("backup", "There is no command `backup`. There are check, "),
            ("sandbox status", "There is no command `sandbox status`. Did you mean `sandbox list`?"),
            ("runs watch", "There is no command `runs watch`. Of `runs` there are list, show, undo, pause and resume."),
            ("check --onli id", "Unknown option '--onli'. Did you mean '--only'?"),
        ])
    func meant(line: String, words: String) async throws {
        let arguments = line.split(separator: " ").map(String.init)
        let result = try await Tool.run(arguments)
        #expect(result.exitCode == 64 && result.errors.contains(words), "\(result)")
        let machine = try await Tool.run(arguments + ["--format", "json"])
        #expect(try machine.json()["error"]?.string?.contains(words) == true, "\(machine)")
    }

    @Test(
        "isn't answered with what wasn't meant",
        arguments: ["seed --demonstrate", "check --all", "repair ids --force-it"])
    func notMeant(line: String) async throws {
        let result = try await Tool.run(line.split(separator: " ").map(String.init))
        #expect(result.exitCode == 64 && result.errors.contains("Unknown option"), "\(result)")
        #expect(!result.errors.contains("Did you mean"), "\(result)")
    }

    @Test(
        "isn't repeated where it may be a secret", arguments: ["mongodb://u:hunter2@h/x", "hunter2", "runs hunter2="])
    func secret(line: String) async throws {
        let result = try await Tool.run(line.split(separator: " ").map(String.init))
        #expect(result.exitCode == 64 && !result.errors.contains("There is no command"), "\(result)")
        #expect(line == "hunter2" || !result.errors.contains("hunter2@"), "\(result)")
    }
}
