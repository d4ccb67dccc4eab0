import MongoDriver
import Testing

@Suite("A MongoDB error")
struct MongoErrorTests {
    @Test("says what happened in one sentence")
    func describesItself() {
        #expect("\(MongoError(.unreachable, "why"))" == "No MongoDB server answered: why")
        #expect("\(MongoError(.duplicateKey, "E11000 why"))" == "E11000 why")
        let kinds: [MongoError.Kind] = [.authentication, .unauthorized, .network, .writeConcern, .timeout]
        for kind in kinds { #expect("\(MongoError(kind, "why"))".contains(": why")) }
    }

    @Test("knows its labels")
    func knowsLabels() {
        let error = MongoError(.server, "why", code: 112, labels: ["TransientTransactionError"])
        #expect(error.hasLabel("TransientTransactionError"))
        #expect(!error.hasLabel("UnknownTransactionCommitResult"))
        #expect(error.code == 112)
        #expect(error.partialResult == nil)
    }

    @Test("namespaces are written as the server writes them")
    func describesNamespaces() {
        #expect("\(Namespace("a", "b.c"))" == "a.b.c")
        #expect(Namespace("a", "b") == Namespace("a", "b"))
        #expect(Namespace("a.b", "c") != Namespace("a", "b.c"))
    }
}
