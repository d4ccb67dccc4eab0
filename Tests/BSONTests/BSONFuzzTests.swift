import BSON
import Foundation
import Testing

@Suite("Damaged documents")
struct BSONFuzzTests {
    /// How many documents are damaged; the environment variable BSON_FUZZ_ROUNDS sets another number.
    static let rounds = ProcessInfo.processInfo.environment["BSON_FUZZ_ROUNDS"].flatMap(Int.init) ?? 20_000

    /// The seed of the first round; the environment variable BSON_FUZZ_SEED sets another.
    static let seed = ProcessInfo.processInfo.environment["BSON_FUZZ_SEED"].flatMap(UInt64.init) ?? 1

    /// Small documents, so that damage often leaves them valid, and the large one.
    static let samples: [[UInt8]] = {
        let small = Samples.values.map { sample -> [UInt8] in
            let value = sample.value
            let document: BSONDocument = ["a": value, "b": [value, 1], "a": ["x": value]]
            return document.bytes
        }
        return small + [Samples.everything.bytes, BSONInvalidTextTests.bytes, Samples.nested(depth: 150)]
    }()

    @Test("are refused, or read completely and written again with the same bytes")
    func fuzz() {
        var mutator = Mutator(seed: Self.seed)
        var accepted = 0
        for round in 0..<Self.rounds {
            let bytes = mutator.next(of: Self.samples)
            let document: BSONDocument
            do {
                document = try BSONDocument(validating: bytes)
            } catch {
                if !(0...bytes.count).contains(error.offset) { Issue.record("Round \(round): \(error)") }
                continue
            }
            accepted += 1
            let complaints = Audit(document).complaints + Self.edit(document)
            if !complaints.isEmpty { Issue.record("Round \(round): \(complaints) in \(bytes)") }
        }
        #expect(accepted > Self.rounds / 50)
        print("Fuzz: \(Self.rounds) rounds, \(accepted) documents accepted and read")
    }

    /// Replaces and removes elements, and finds what is no valid document afterwards.
    private static func edit(_ document: BSONDocument) -> [String] {
        guard let key = document.keys.last else { return [] }
        var complaints: [String] = []
        let replaced = document.replacing(key, with: "replaced")
        if replaced[key] != "replaced" { complaints.append("a replaced value is not read") }
        let removed = document.removing(key)
        if removed[key] != nil { complaints.append("a removed value is read") }
        for edited in [replaced, removed] where (try? BSONDocument(validating: edited.bytes)) != edited {
            complaints.append("an edited document is not valid")
        }
        return complaints
    }
}
