import BSON
import Testing

@testable import Checks

@Suite("A finding's name")
struct FindingNameTests {
    @Test("tells documents apart, and the same document of other findings")
    func identity() throws {
        let name = FindingName(code: "id.empty", collection: "messages", field: "_id")
        #expect(try name.identity(of: "") == name.identity(of: ""))
        #expect(try name.identity(of: "") != name.identity(of: .null))
        let other = FindingName(code: "id.empty", collection: "artifacts", field: "_id")
        #expect(try name.identity(of: "") != other.identity(of: ""))
    }
}
