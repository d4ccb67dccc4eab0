import BSON
import Consistency
import Foundation
import TestSupport
import Testing

@Suite("What explain says of a finding")
struct ExplainTests {
    private static let codes = FindingCode.allCases.map(\.rawValue)

    @Test("is there for every finding, and is what docs/findings.md says")
    func page() async throws {
        let list = try await Tool.run(["explain"])
        #expect(list.exitCode == 0)
        for code in Self.codes {
            #expect(list.output.contains("\(code) "))
            let result = try await Tool.run(["explain", code])
            #expect(result.exitCode == 0)
            #expect(result.output.hasPrefix("\(code) ("), "\(result)")
            #expect(result.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(result)")
        }
        let page = try String(contentsOfFile: ProjectFiles.path("docs") + "/findings.md", encoding: .utf8)
        #expect(try await Tool.run(["explain", "--page"]).output == page, "make findings")
    }

    @Test("is that of a whole kind where only the kind is named")
    func kind() async throws {
        let result = try await Tool.run(["explain", "ref", "--format", "json"]).json()
        let found = (result["findings"]?.array?.values ?? []).compactMap { $0.document?["code"]?.string }
        #expect(found == Self.codes.filter { $0.hasPrefix("ref.") })
    }

    @Test("names the nearest one where there is none of that name", arguments: ["explain", "check"])
    func unknown(command: String) async throws {
        let result = try await Tool.run(
            command == "explain" ? ["explain", "id.emty"] : ["check", "--only", "id.emty"])
        #expect(result.exitCode == 64)
        #expect(result.errors.contains("There is no finding `id.emty`. Did you mean `id.empty`?"), "\(result)")
    }
}
