import MigrationEngine
import StepFiles
import Testing

@Suite("A step file's name")
struct StepFileNameTests {
    @Test("is a version, a title and a direction, as golang-migrate writes them")
    func parses() throws {
        let name = try StepFileName(parsing: "001_create_users.up.json")
        #expect(name == StepFileName(version: 1, title: "create_users", direction: .up))
        #expect(name.text() == "001_create_users.up.json")
        #expect(try StepFileName(parsing: "20261122093000_a.b-c.down.json").version == 20_261_122_093_000)
        #expect(try StepFileName(parsing: "9223372036854775807_last.up.json").version == .max)
        #expect(try StepFileName(parsing: "7_.up.json").title == "")
        #expect(try StepFileName(parsing: "000_zero.up.json").version == 0)
    }

    @Test(
        "that says something else is refused with a reason",
        arguments: [
            "notes.txt", "001_a.json", "001_a.up.sql", "create.up.json", "001create.up.json",
            "9223372036854775808_big.up.json", "-1_a.up.json", "001_a.up", ".up.json", "٣_a.up.json",
        ])
    func refuses(name: String) {
        let mismatch = #expect(throws: StepFileName.Mismatch.self) { try StepFileName(parsing: name) }
        #expect(mismatch?.reason.isEmpty == false)
    }
}
