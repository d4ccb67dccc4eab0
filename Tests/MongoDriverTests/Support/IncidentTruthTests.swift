import BSON
import TestSupport
import Testing

@Suite("The truth about a damaged database")
struct IncidentTruthTests {
    /// Of the first database that has both a message with an empty `_id` and one whose session can't be told.
    let truth: IncidentTruth

    init() throws {
        let truths = (0..<100).lazy.map { IncidentGenerator(seed: $0, sessions: 30, messages: 400).truth }
        let suited = truths.first {
            $0.expectedFindings["id.empty"]?["messages"] == 1
                && $0.repaired["messages"]?.contains { $0["session_id"] == "" } == true
        }
        truth = try #require(suited)
    }

    /// The position of the first document of the right answer that is meant.
    private func position(_ collection: String, where isMeant: (BSONDocument) -> Bool) -> Int? {
        truth.repaired[collection]?.firstIndex(where: isMeant)
    }

    /// What is said of the right answer with one document changed.
    private func verdict(
        _ collection: String, at position: Int? = 0, _ change: (inout BSONDocument) -> Void
    ) throws -> [String] {
        var answer = truth.repaired
        let position = try #require(position)
        var documents = try #require(answer[collection])
        change(&documents[position])
        answer[collection] = documents
        return truth.verify(answer)
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
        let touched = try verdict("chat_sessions") { $0["updated_at"] = .date(0) }
        #expect(touched.count == 1)
        let gone = try verdict("messages") { $0["role"] = nil }
        #expect(gone.count == 1)
        let moved = try verdict("messages") { document in
            let role = document["role"]
            document["role"] = nil
            document["role"] = role
        }
        #expect(moved.count == 1)
        let added = try verdict("artifacts") { $0["new"] = 1 }
        #expect(added.count == 1)
        let user = try verdict("users") { $0["disabled"] = .null }
        #expect(user.count == 1)
    }

    @Test("an _id that isn't the expected one is reported")
    func reportsIdentity() throws {
        let damaged = Set(truth.damaged["messages"]?.filter { $0["_id"] == "" }.map { $0["content"] } ?? [])
        let wrongTimePosition = position("messages") { damaged.contains($0["content"]) }
        let wrongTime = try verdict("messages", at: wrongTimePosition) {
            $0["_id"] = .objectID(ObjectID(timestamp: 5))
        }
        #expect(wrongTime.count == 1)
        let otherPosition = position("messages") { !damaged.contains($0["content"]) }
        let other = try verdict("messages", at: otherPosition) {
            $0["_id"] = .objectID(ObjectID(timestamp: $0["_id"]!.objectID!.timestamp))
        }
        #expect(other.count == 1)
    }

    @Test("a reference that names another document, or that was guessed, is reported")
    func reportsReferences() throws {
        let guessedPosition = position("messages") { $0["session_id"] == "" }
        let guessed = try verdict("messages", at: guessedPosition) {
            $0["session_id"] = truth.repaired["chat_sessions"]![0]["_id"]
        }
        #expect(guessed.count == 1)
        let otherPosition = position("messages") { $0["session_id"]?.objectID != nil }
        let other = try verdict("messages", at: otherPosition) {
            $0["session_id"] = .objectID(.max)
        }
        #expect(other.count == 1)
    }

    @Test("wrong counters are reported: value, type, and a right one that was rewritten")
    func reportsCounters() throws {
        let off = try verdict("chat_sessions") { $0["message_count"] = 12_345 }
        #expect(off.count == 1)
        let type = try verdict("chat_sessions") { $0["message_count"] = .double(Double($0["message_count"]!.integer!)) }
        #expect(type.count == 1)
        let latePosition = position("chat_sessions") { $0["last_message_at"]?.date != nil }
        let late = try verdict("chat_sessions", at: latePosition) {
            $0["last_message_at"] = .date($0["last_message_at"]!.date! + 200_000)
        }
        #expect(late.count == 1)
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
        // 34 others are right once the three sessions have their ids back.
        #expect(found["ref.dangling"] == ["messages": 1])
        #expect(found.count == 5)
        let counts = try #require(fixture.repaired["chat_sessions"]?.map { $0["message_count"]?.integer ?? -1 })
        #expect(counts.reduce(0, +) == 900 - 45)
        try await withDatabase { database in
            try await database.loadIncident()
            #expect(try await fixture.verify(database) == fixture.verify(fixture.damaged))
        }
    }
}
