import BSON
import TestSupport
import Testing

@Suite("The generator of damaged databases")
struct IncidentGeneratorTests {
    static let sizes = [(0, 0), (1, 0), (1, 1), (2, 30), (12, 5), (25, 300)]

    @Test("gives the same bytes for the same seed, and others for another")
    func isDeterministic() {
        let one = IncidentGenerator(seed: 7, sessions: 30, messages: 200)
        #expect(one.collections == IncidentGenerator(seed: 7, sessions: 30, messages: 200).collections)
        #expect(one.collections != IncidentGenerator(seed: 8, sessions: 30, messages: 200).collections)
    }

    @Test("makes databases that a server would hold: each _id and natural key once", arguments: 0..<30 as Range<UInt64>)
    func isPossible(seed: UInt64) throws {
        for (sessions, messages) in Self.sizes {
            let collections = IncidentGenerator(seed: seed, sessions: sessions, messages: messages).collections
            #expect(collections["chat_sessions"]?.count == sessions)
            #expect((collections["messages"]?.count ?? 0) <= messages)
            for (name, documents) in collections {
                #expect(Set(documents.map { $0["_id"] }).count == documents.count)
                #expect(documents.allSatisfy { $0.keys.first == "_id" && Set($0.keys).count == $0.count })
                guard let key = IncidentTruth.naturalKeys[name] else { continue }
                #expect(Set(documents.map { $0[key]?.string }).count == documents.count)
            }
        }
    }

    @Test("knows a right answer that its own verification accepts", arguments: 0..<30 as Range<UInt64>)
    func acceptsRightAnswer(seed: UInt64) {
        for (sessions, messages) in Self.sizes {
            let incident = IncidentGenerator(seed: seed, sessions: sessions, messages: messages)
            #expect(incident.truth.verify(incident.truth.repaired) == [])
            #expect(incident.truth.expectedLeftovers.keys.allSatisfy { !$0.hasPrefix("id.") })
            if incident.collections != incident.truth.repaired {
                #expect(incident.truth.verify(incident.collections) != [])
            }
        }
    }

    @Test("shows every kind of damage somewhere among a few seeds")
    func variesDamage() {
        var codes: Set<String> = []
        for seed in 0..<60 as Range<UInt64> {
            codes.formUnion(IncidentGenerator(seed: seed, sessions: 40, messages: 400).truth.expectedFindings.keys)
        }
        #expect(
            codes == [
                "id.empty", "id.null", "id.string", "ref.empty", "ref.string", "ref.missing", "ref.dangling",
                "field.missing", "user.duplicate", "user.lookalike", "user.password",
            ])
    }

    @Test("a server holds every generated document byte for byte", arguments: 100..<104 as Range<UInt64>)
    func isHeldByServer(seed: UInt64) async throws {
        let incident = IncidentGenerator(seed: seed, sessions: 50, messages: 600)
        try await withDatabase { database in
            try await database.load(incident.collections)
            for (name, documents) in incident.collections {
                #expect(try await Set(database.all(name)) == Set(documents))
            }
            #expect(try await incident.truth.verify(database) == incident.truth.verify(incident.collections))
        }
    }
}
