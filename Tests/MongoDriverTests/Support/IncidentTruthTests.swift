import BSON
import TestSupport
import Testing

@Suite("The truth about a damaged database")
struct IncidentTruthTests {
    let truth = IncidentGenerator(seed: 3, sessions: 30, messages: 400).truth

    /// The right answer with one document changed.
    private func answer(
        _ collection: String, where isMeant: (BSONDocument) -> Bool = { _ in true },
        _ change: (inout BSONDocument) -> Void
    ) throws -> [String: [BSONDocument]] {
        var answer = truth.repaired
        let found = answer[collection]?.firstIndex(where: isMeant)
        let index = try #require(found)
        change(&answer[collection]![index])
        return answer
    }

    @Test("a document that is lost, doubled or new is reported")
    func reportsNumber() {
        for name in TestDatabase.chatCollections {
            var lost = truth.repaired
            lost[name]?.removeLast()
            #expect(truth.verify(lost).count == 1)
            var doubled = truth.repaired
            let twin = doubled[name]![0].replacing("_id", with: .objectID(ObjectID(timestamp: 1)))
            doubled[name]?.append(twin)
            #expect(truth.verify(doubled).count >= 1)
            var new = truth.repaired
            new[name]?.append(["_id": 1, "title": "new", "content": "new", "name": "new"])
            #expect(truth.verify(new).count == 1)
        }
    }

    @Test("any other field that is changed, moved, added or gone is reported")
    func reportsFields() throws {
        let touched = try answer("chat_sessions") { $0["updated_at"] = .date(0) }
        #expect(truth.verify(touched).count == 1)
        let gone = try answer("messages") { $0["role"] = nil }
        #expect(truth.verify(gone).count == 1)
        let moved = try answer("messages") { document in
            let role = document["role"]
            document["role"] = nil
            document["role"] = role
        }
        #expect(truth.verify(moved).count == 1)
        let added = try answer("artifacts") { $0["new"] = 1 }
        #expect(truth.verify(added).count == 1)
        let user = try answer("users") { $0["disabled"] = .null }
        #expect(truth.verify(user).count == 1)
    }

    @Test("an _id that isn't the expected one is reported")
    func reportsIdentity() throws {
        let damaged = Set(truth.damaged["messages"]?.filter { $0["_id"] == "" }.map { $0["content"] } ?? [])
        let wrongTime = try answer("messages", where: { damaged.contains($0["content"]) }) {
            $0["_id"] = .objectID(ObjectID(timestamp: 5))
        }
        #expect(truth.verify(wrongTime).count == 1)
        let other = try answer("messages", where: { !damaged.contains($0["content"]) }) {
            $0["_id"] = .objectID(ObjectID(timestamp: $0["_id"]!.objectID!.timestamp))
        }
        #expect(truth.verify(other).count == 1)
    }

    @Test("a reference that names another document, or that was guessed, is reported")
    func reportsReferences() throws {
        let guessed = try answer("messages", where: { $0["session_id"] == "" }) {
            $0["session_id"] = truth.repaired["chat_sessions"]![0]["_id"]
        }
        #expect(truth.verify(guessed).count == 1)
        let other = try answer("messages", where: { $0["session_id"]?.objectID != nil }) {
            $0["session_id"] = .objectID(.max)
        }
        #expect(truth.verify(other).count == 1)
    }

    @Test("wrong counters are reported: value, type, and a right one that was rewritten")
    func reportsCounters() throws {
        let off = try answer("chat_sessions") { $0["message_count"] = 12_345 }
        #expect(truth.verify(off).count == 1)
        let type = try answer("chat_sessions") { $0["message_count"] = .double(Double($0["message_count"]!.integer!)) }
        #expect(truth.verify(type).count == 1)
        let late = try answer("chat_sessions", where: { $0["last_message_at"]?.date != nil }) {
            $0["last_message_at"] = .date($0["last_message_at"]!.date! + 200_000)
        }
        #expect(truth.verify(late).count == 1)
        #expect(truth.verify(truth.repaired, counts: false) != [])
    }

    @Test("the fixture is what its README says")
    func describesFixture() async throws {
        let fixture = try IncidentTruth.fixture
        #expect(fixture.verify(fixture.repaired) == [])
        #expect(fixture.expectedLeftovers == ["ref.empty": ["messages": 1], "ref.dangling": ["messages": 1]])
        let found = fixture.expectedFindings
        #expect(found["id.empty"] == ["chat_sessions": 1, "messages": 1, "artifacts": 1])
        #expect(found["id.string"] == ["chat_sessions": 3])
        #expect(found["ref.empty"] == ["messages": 42])
        // Four owners of sessions (one with the empty `_id`), 17 owners and 40 sessions of messages.
        #expect(found["ref.string"] == ["chat_sessions": 7, "messages": 57])
        #expect(found["ref.dangling"] == ["messages": 35])
        #expect(found.count == 5)
        let counts = try #require(fixture.repaired["chat_sessions"]?.map { $0["message_count"]?.integer ?? -1 })
        #expect(counts.reduce(0, +) == 900 - 45)
        try await withDatabase { database in
            try await database.loadIncident()
            #expect(try await fixture.verify(database) == fixture.verify(fixture.damaged))
        }
    }
}
