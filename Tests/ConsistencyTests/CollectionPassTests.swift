import BSON
import Chat
import Journal
import MongoDriver
import TestSupport
import Testing

@testable import Consistency

/// What one pass finds is what looking at each thing by itself finds.
@Suite("Check in one pass", .timeLimit(.minutes(5)))
struct CollectionPassTests {
    private static let topologies = [TestServer.Kind.standalone, .replicaSet]
    private static let index: BSONDocument = ["session_id": 1, "deleted": 1, "created_at": 1]

    /// A machine that is busy with other tests may answer late.
    private static let near = Duration.seconds(60)

    /// What a check says, in a form that two checks can be compared by.
    private static func check(
        _ database: TestDatabase, workers: Int, settle: Duration = .zero,
        _ codes: Set<FindingCode> = Set(FindingCode.allCases)
    ) async throws -> [String] {
        try await database.withClient { client in
            let target = Database(client: client, name: database.name, server: try await client.describeServer())
            let checker = Checker(database: target, schema: .chat, workers: workers, settle: settle, near: near) { _ in
            }
            let report = try await checker.check(codes)
            #expect(report.unchecked == [] && report.unsettled.isEmpty)
            let scanned = report.scanned.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value) documents" }
            return report.findings.filter { $0.code != .missingIndex }.map(describe)
                + (codes.count == FindingCode.allCases.count ? scanned : [])
        }
    }

    private static func describe(_ finding: Finding) -> String {
        let subjects = finding.hasAllSubjects ? Set(finding.subjects).count : -1
        let consequences = finding.consequences.map { "\($0.code) \($0.collection) \($0.field ?? "") \($0.count)" }
        return "\(finding.code) \(finding.collection) \(finding.field ?? "") \(finding.count) \(finding.severity) "
            + "\(finding.samples) \(subjects) \(consequences)"
    }

    /// Whether a check goes over the messages in one pass.
    private static func isOnePass(_ database: TestDatabase) async throws -> Bool {
        try await database.withClient { client in
            let target = Database(client: client, name: database.name, server: try await client.describeServer())
            let messages = try #require(DatabaseSchema.chat.collection("messages"))
            return try await CollectionPass(
                over: messages, in: .chat, target, counting: DatabaseSchema.chat.collections, counters: .once,
                within: near, Interruption()) != nil
        }
    }

    private static func makeIndex(_ database: TestDatabase, _ options: BSONDocument = [:]) async throws {
        var index: BSONDocument = ["key": .document(Self.index), "name": "counting"]
        for element in options.elements { index.append(element.key, element.value) }
        try await database.run(["createIndexes": "messages", "indexes": [.document(index)]])
        try await #expect(isOnePass(database))
    }

    private static func dropIndex(_ database: TestDatabase) async throws {
        try await database.run(["dropIndexes": "messages", "index": "counting"])
        try await #expect(!isOnePass(database))
    }

    /// Compares the pass, on any number of workers, with looking at each thing by itself.
    private static func compare(_ database: TestDatabase, _ options: BSONDocument = [:]) async throws {
        let apart = try await check(database, workers: 2)
        try await makeIndex(database, options)
        for workers in [1, 2, 4] { try await #expect(check(database, workers: workers) == apart, "\(workers) workers") }
        try await #expect(check(database, workers: 2, settle: .milliseconds(100)) == apart)
        // A part of it finds its part.
        let kinds: [[String]] = [
            ["ref."], ["count.", "last."], ["field."], ["ref.", "field."], ["ref.owner", "count."],
        ]
        for kind in kinds {
            let codes = FindingCode.beginning(with: kind)
            let part = try await check(database, workers: 2, codes)
            let whole = apart.filter { line in codes.contains { line.hasPrefix("\($0) ") } }
            // What follows from an `_id` stands for itself where `_id`s aren't looked at.
            if !part.contains(where: { $0.hasPrefix("\(FindingCode.danglingReference) ") }) { #expect(part == whole) }
        }
        try await dropIndex(database)
    }

    @Test("finds in the incident what each look finds by itself", arguments: topologies)
    func incident(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            try await database.loadIncident()
            try await Self.compare(database)
        }
    }

    @Test("finds damage of every kind, on however many workers", arguments: topologies, [1, 2] as [UInt64])
    func random(kind: TestServer.Kind, seed: UInt64) async throws {
        try await withDatabase(on: kind) { database in
            try await Self.loadDamage(database, seed)
            try await Self.compare(database)
        }
    }

    @Test("takes text for what it is where the collection has an order of its own")
    func collation() async throws {
        try await withDatabase { database in
            for name in TestDatabase.chatCollections {
                try await database.run(["create": .string(name), "collation": ["locale": "en", "strength": 1]])
            }
            // "Cannot index type Symbol with a collation"
            try await Self.loadDamage(database, 3, without: .symbol)
            try await Self.compare(database, ["collation": ["locale": "simple"]])
        }
    }

    @Test("works on the oldest server", .enabled(if: ServerVersion.canRunOthers), arguments: topologies)
    func oldest(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind, version: .mongo44) { database in
            try await Self.loadDamage(database, 4)
            try await Self.compare(database)
        }
    }

    @Test("looks at a session without messages, and at messages without any session")
    func none() async throws {
        try await withDatabase { database in
            let (user, session) = (ObjectID.smallest(at: 1), ObjectID.smallest(at: 2))
            try await database.load("users", [["_id": .objectID(user)]])
            try await database.load(
                "chat_sessions",
                [
                    [
                        "_id": .objectID(session), "user_id": .objectID(user), "message_count": 3,
                        "last_message_at": .null,
                    ],
                    ["_id": .objectID(.max), "user_id": .objectID(user), "message_count": 0, "last_message_at": .null],
                ])
            try await database.run(["create": "messages"])
            try await Self.makeIndex(database)
            let codes = FindingCode.beginning(with: ["ref.", "count.", "last."])
            let empty = try await Self.check(database, workers: 2, codes)
            #expect(empty.count == 1 && empty[0].hasPrefix("\(FindingCode.wrongCount) chat_sessions message_count 1 "))
            // One before all sessions, one between them, and one that names none.
            try await database.load(
                "messages",
                [.objectID(.min), .objectID(ObjectID.smallest(at: 9)), .null].enumerated().map { number, value in
                    [
                        "_id": .objectID(ObjectID.smallest(at: UInt32(number))), "session_id": value,
                        "user_id": .objectID(user), "deleted": false, "created_at": .date(1),
                    ]
                })
            let found = try await Self.check(database, workers: 2, codes)
            #expect(found.count == 3, "\(found)")
            #expect(found[0].hasPrefix("\(FindingCode.missingReference) messages session_id 1 "), "\(found)")
            #expect(found[1].hasPrefix("\(FindingCode.danglingReference) messages session_id 2 "), "\(found)")
        }
    }

    @Test("takes numbers for the same that the server does, whatever their types", arguments: topologies)
    func equalNumbers(kind: TestServer.Kind) async throws {
        try await withDatabase(on: kind) { database in
            let user = ObjectID.smallest(at: 1)
            let decimal = { (low: UInt64) in
                BSONValue.decimal128(Decimal128(low: low, high: 0x3040_0000_0000_0000))
            }
            try await database.load("users", [["_id": .objectID(user)]])
            let sessions: [(id: BSONValue, count: Int32)] = [
                (0, 4), (decimal(5), 4), (.double(7), 3), (.double(0.1), 0), ("text", 0),
            ]
            try await database.load(
                "chat_sessions",
                sessions.map { id, count in
                    [
                        "_id": id, "user_id": .objectID(user), "message_count": .int32(count),
                        "last_message_at": count > 0 ? .date(1) : .null,
                    ]
                })
            let names: [BSONValue] = [
                0, .double(-0.0), .int64(0), decimal(0), 5, .double(5), .int64(5), decimal(5), 7, .int64(7), decimal(7),
                // These name none.
                1, .double(1), .int64(1), decimal(1), decimal(1), .symbol("s"), "s",
                .decimal128(Decimal128(low: 1, high: 0x303e_0000_0000_0000)),
            ]
            try await database.load(
                "messages",
                names.enumerated().map { number, name in
                    [
                        "_id": .objectID(ObjectID.smallest(at: UInt32(number))), "session_id": name,
                        "user_id": .objectID(user), "deleted": false, "created_at": .date(1),
                    ]
                })
            try await Self.compare(database)
            let codes = FindingCode.beginning(with: ["ref.", "count.", "last."])
            let found = try await Self.check(database, workers: 2, codes)
            #expect(found.count == 1, "\(found)")
            #expect(found[0].hasPrefix("\(FindingCode.danglingReference) messages session_id 8 "), "\(found)")
        }
    }

    @Test("looks at none again where there are too many of a kind, in whatever order they come")
    func tooMany() {
        func suspect(_ number: Int, _ count: Int) -> ReferenceSuspects.Suspect {
            ReferenceSuspects.Suspect(
                code: .danglingReference, field: "s",
                references: ["s": .objectID(ObjectID.smallest(at: UInt32(number)))],
                count: count, first: .objectID(ObjectID.smallest(at: UInt32(number))))
        }
        let all = (0..<4).map { suspect($0, Finding.mostSubjects / 3) }
        for order in [all, all.reversed()] {
            var suspects = ReferenceSuspects(fields: ["s"])
            let left = order.flatMap { suspects.add($0) }
            #expect(left.count == all.count && Array(suspects.all).isEmpty)
        }
        var (first, second) = (ReferenceSuspects(fields: ["s"]), ReferenceSuspects(fields: ["s"]))
        #expect(first.add(suspect(0, 2)).isEmpty)
        #expect(second.add(suspect(0, 3)).isEmpty)
        #expect(first.merge(second).isEmpty)
        #expect(first.all.map(\.count) == [5])
    }

    /// Many sessions and messages, of which some have something of every kind wrong with them.
    private static func loadDamage(_ database: TestDatabase, _ seed: UInt64, without type: BSONType? = nil) async throws
    {
        var random = Random(state: seed)
        let users = (0..<50).map { ObjectID.smallest(at: UInt32($0 + 1)) }
        let sessions = (0..<12_000).map { ObjectID.smallest(at: UInt32(100 + $0 * 7)) }
        try await database.load(
            "users", users.map { ["_id": .objectID($0), "username": .string($0.hex), "full_name": "n", "email": "e"] })
        let odd: [BSONValue] = [
            .minKey, .null, 1, .double(1.5), .double(.nan),
            .decimal128(Decimal128(low: 7, high: 0x3040_0000_0000_0000)),
            "", "z", "Z", .string(users[3].hex), .string(sessions[3].hex.uppercased()), ["a": 1], true, .date(1),
            .maxKey,
            .undefined, .invalidString([0xff]), .int64(5), .binary(BSONBinary(subtype: 0, bytes: [1])),
            .objectID(ObjectID.smallest(at: 99_999)), .objectID(.max), .objectID(.min), .symbol("x"),
        ].filter { $0.type != type }
        let owner = Dictionary(uniqueKeysWithValues: sessions.enumerated().map { ($1, users[$0 % 50]) })
        var counts: [ObjectID: (live: Int32, latest: Int64)] = [:]
        var messages: [BSONDocument] = []
        for number in 0..<30_000 {
            let session = sessions[Int(random.next() % UInt64(sessions.count - 100))]
            let created = Int64(1_700_000_000_000 + number)
            let isDeleted = random.next() % 20 == 0
            var message: BSONDocument = [
                "_id": .objectID(ObjectID.smallest(at: UInt32(number))), "session_id": .objectID(session),
                "user_id": .objectID(owner[session] ?? .min), "deleted": .bool(isDeleted), "deleted_at": .null,
                "created_at": .date(created), "updated_at": .date(created),
            ]
            if !isDeleted {
                counts[session] = (1 + (counts[session]?.live ?? 0), created)
            }
            if random.next() % 200 == 0 {
                let field = ["session_id", "user_id", "deleted", "created_at", "updated_at", "deleted_at"]
                    .randomElement(using: &random)
                let value = random.next() % 8 == 0 ? nil : odd.randomElement(using: &random)
                if let field { message[field] = value }
            }
            messages.append(message)
        }
        try await database.load("messages", messages)
        try await database.load(
            "chat_sessions",
            sessions.enumerated().map { number, id in
                let count = counts[id]
                var session: BSONDocument = [
                    "_id": .objectID(id), "user_id": owner[id].map { .objectID($0) } ?? .null, "title": "t",
                    "message_count": .int32(count?.live ?? 0),
                    "last_message_at": (count?.latest).map { .date($0) } ?? .null,
                    "created_at": .date(1), "updated_at": .date(1), "deleted": false, "deleted_at": .null,
                ]
                if random.next() % 300 == 0 {
                    let field = ["user_id", "message_count", "last_message_at", "deleted"].randomElement(using: &random)
                    if let field { session[field] = odd.randomElement(using: &random) }
                }
                return session
            } + ["", "text", .null, 1, .string(sessions[5].hex)].map { ["_id": $0, "user_id": .objectID(users[0])] })
    }

    /// SplitMix64.
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }
}
