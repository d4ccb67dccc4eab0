import BSON
import TestSupport
import Testing

/// Every kind of value that can be stored, in every field that a check or a repair looks at.
@Suite("Any value in any field")
struct HostileValuesTests {
    private static let emptyTime = BSONValue.timestamp(BSONTimestamp(seconds: 0, increment: 0))

    private static let values: [BSONValue] = [
        .document(["$oid": "6909dcb02291d8cdc310411e"]), .document(["$gt": ""]), .document(["$in": []]),
        .document(["$ref": "users", "$id": .objectID(Sample.user)]), .document(["": "x"]), .document(["a.b": 1]),
        .document(["a": ["$oid": "6909dcb02291d8cdc310411e"]]), .document([:]), .undefined, .null,
        .invalidString([0x61, 0xff, 0xfe]), .invalidString([0xed, 0xa0, 0x80]), "a\0b", "\u{1b}[31m\u{202e}",
        .regularExpression(BSONRegularExpression(pattern: ".*", options: "i")), [], [.null],
        [.objectID(Sample.user)], [false], .dbPointer(BSONDBPointer(namespace: "users", id: Sample.user)),
        .javascript("1"), .symbol(""), .symbol("6909dcb02291d8cdc310411e"),
        .javascriptWithScope(BSONJavaScriptWithScope(code: "1", scope: ["$a": 1])),
        emptyTime, .timestamp(BSONTimestamp(seconds: 1, increment: 1)),
        .minKey, .maxKey, .double(.nan), .double(.infinity), .double(-0.0), .double(1e300),
        .decimal128(Decimal128(low: 3, high: 0x3040_0000_0000_0000)), .int64(.max), .int64(.min), .int32(.min),
        .date(.max), .date(.min), .binary(BSONBinary(subtype: 0, bytes: [1])), true,
    ]

    private static let fields = [
        "users": ["username", "email", "full_name", "hashed_password", "created_at"],
        "chat_sessions": ["user_id", "message_count", "last_message_at", "deleted", "created_at", "title"],
        "messages": ["session_id", "user_id", "deleted", "created_at"], "artifacts": ["session_id", "deleted"],
    ]

    private static func document(_ collection: String, _ number: Int) -> BSONDocument {
        let name = BSONValue.string("n\(number)")
        return switch collection {
        case "users": Sample.user(["username": name, "email": .string("n\(number)@example.com")], id: Sample.newID)
        case "chat_sessions": Sample.session(["title": name], id: Sample.newID)
        default: Sample.message(["name": name])
        }
    }

    /// One document for each value in each field; and each field twice, with two values.
    private static func load(_ database: TestDatabase) async throws {
        try await database.load("users", [Sample.user()])
        try await database.load("chat_sessions", [Sample.session()])
        for (collection, fields) in fields {
            var documents: [BSONDocument] = []
            for field in fields {
                for value in values {
                    var document = document(collection, documents.count)
                    document[field] = nil
                    // The server puts its own time in the place of an empty one of a document's own fields.
                    if value == emptyTime { continue }
                    document.append(field, value)
                    documents.append(document)
                }
                for pair in [(BSONValue.int32(7), BSONValue.int32(1)), ("", .string(Sample.user.hex)), (.null, false)] {
                    var document = document(collection, documents.count)
                    document[field] = nil
                    document.append(field, pair.0)
                    document.append(field, pair.1)
                    documents.append(document)
                }
            }
            try await database.load(collection, documents)
        }
        // Real damage beside it, and strange values in what is moved.
        var moved = Sample.session(["user_id": .string(Sample.user.hex)])
        moved["_id"] = .string(ObjectID(timestamp: 5).hex)
        for (index, value) in values.enumerated() where value != emptyTime { moved.append("v\(index)", value) }
        for pair in [BSONValue.int32(1), .int32(2)] { moved.append("twice", pair) }
        try await database.load("chat_sessions", [moved])
        try await database.load(
            "messages",
            [Sample.message(["session_id": .string(ObjectID(timestamp: 5).hex), "user_id": .string(Sample.user.hex)])])
        for id in [BSONValue.invalidString([0xff]), .document(["": 1]), .double(.nan), .maxKey, .minKey, .symbol("")] {
            var document = Sample.message(["session_id": id])
            document["_id"] = id
            try await database.load("messages", [document])
        }
    }

    @Test(
        "stops no check, no plan and no repair, changes no query's meaning, and an undo restores it all",
        arguments: HostileDataTests.topologies)
    func any(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.load(database)
            let before = try await application(database)
            let check = try await json(["check"], on: database, expecting: 1)
            #expect(check.counts(of: "findings", "count")["id.string"] == ["chat_sessions": 1], "\(check)")
            _ = try await json(["repair", "all", "--offline", "--dry-run"], on: database, expecting: 0)
            _ = try await json(["migrate", "plan"], on: database, expecting: 2)
            #expect(try await application(database) == before)

            let repair = try await json(["repair", "all", "--offline", "--yes"], on: database, expecting: 1)
            #expect(repair.counts(of: "changes", "changed")["id.string"] == ["chat_sessions": 1], "\(repair)")
            let left = (repair["left"]?.array?.values ?? []).compactMap { $0.document?["reason"]?.string }
            #expect(left.contains { $0.contains("more than once") }, "\(repair)")
            #expect(!left.contains { $0.contains("--offline") }, "\(repair)")
            // What is called mended is; a second repair has nothing to do.
            let again = try await json(["repair", "all", "--offline", "--yes"], on: database, expecting: 1)
            #expect(again.counts(of: "changes", "changed") == [:], "\(again)")

            let run = try #require(repair["run"]?.string)
            _ = try await json(["runs", "undo", run, "--yes"], on: database, expecting: 0)
            let after = try await application(database)
            for name in TestDatabase.chatCollections {
                let differing = Set(before[name] ?? []).symmetricDifference(after[name] ?? [])
                #expect(differing.isEmpty, "\(name): \(differing.prefix(4))")
            }
        }
    }
}
