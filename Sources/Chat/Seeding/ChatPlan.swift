internal import BSON
internal import Journal
internal import MongoDriver

/// What is to be done about sessions and messages.
struct ChatPlan: Sendable {
    /// Documents to be inserted, by collection: sessions, then messages.
    var inserts: [(collection: String, documents: [BSONDocument])] = []
    /// Changes of documents that are there.
    var changes: [(collection: String, code: String, change: FieldChange)] = []
    /// What differs, and stays.
    var leftovers: [Leftover] = []
    /// How many documents are as they should be, by collection.
    var kept: [String: Int] = [:]
    /// The `_id`s of all that shall be there.
    var wanted: Set<BSONValue> = []

    private static let together = 1_000

    /// Plans nothing.
    init() {}

    /// Looks what has to be done. Changes nothing.
    init(_ wanted: [WantedDocument], _ database: Database, _ settings: SeedSettings) async throws {
        guard !wanted.isEmpty else { return }
        self.wanted = Set(wanted.map(\.id))
        // The documents that will be there, and the sessions whose messages, or themselves, are made or changed.
        var final: [(wanted: WantedDocument, document: BSONDocument)] = []
        var touched: Set<BSONValue> = []
        var made: Set<BSONValue> = []
        for (collection, group) in [ChatCollection.sessions, ChatCollection.messages].map({ name in
            (name, wanted.filter { $0.collection == name })
        }) {
            let found = try await Self.documents(group, in: collection, database)
            for item in group {
                guard let document = found[item.id] else {
                    final.append((item, item.document))
                    made.insert(item.id)
                    touched.insert(item.session)
                    continue
                }
                let fields = item.compared.filter { document[$0] != item.document[$0] }
                kept[collection, default: 0] += fields.isEmpty ? 1 : 0
                guard settings.updates, !fields.isEmpty else {
                    differ(item, fields)
                    final.append((item, document))
                    continue
                }
                let names = fields + (fields.contains("deleted") ? ["deleted_at"] : [])
                update(item, document, names)
                final.append((item, names.reduce(into: document) { $0[$1] = item.document[$1] }))
                touched.insert(item.session)
            }
        }
        try await count(final, touched, made, database)
    }

    private static func documents(
        _ wanted: [WantedDocument], in collection: String, _ database: Database
    ) async throws -> [BSONValue: BSONDocument] {
        var found: [BSONValue: BSONDocument] = [:]
        for start in stride(from: 0, to: wanted.count, by: together) {
            let ids = wanted[start..<min(start + together, wanted.count)].map(\.id)
            for document in try await database.findAll(
                collection, filter: ["_id": ["$in": .array(BSONArray(ids))]])
            {
                found[document["_id"] ?? .null] = document
            }
        }
        return found
    }

    private mutating func differ(_ item: WantedDocument, _ fields: [String]) {
        leftovers += fields.map { field in
            Leftover(
                code: item.code, collection: item.collection, field: field, count: 1,
                reason: "\(item.name): has another \(field) (\(SeedAdvice.update))", samples: [item.id])
        }
    }

    private mutating func update(_ item: WantedDocument, _ found: BSONDocument, _ names: [String]) {
        let before = BSONDocument(names.compactMap { name in found[name].map { (name, $0) } })
        let after = BSONDocument(names.compactMap { name in item.document[name].map { (name, $0) } })
        changes.append(
            (item.collection, SeedCode.update, FieldChange(id: item.id, before: before, after: after)))
    }

    /// Gives sessions their counts: of their own messages as they will be, and of those that others have added.
    private mutating func count(
        _ final: [(wanted: WantedDocument, document: BSONDocument)], _ touched: Set<BSONValue>, _ made: Set<BSONValue>,
        _ database: Database
    ) async throws {
        let own = final.filter { touched.contains($0.wanted.session) }
        let messages = own.filter { $0.wanted.collection == ChatCollection.messages }
        var tallies = try await Self.foreign(Array(touched), messages.map(\.wanted.id), database)
        for (wanted, document) in messages { tallies[wanted.session, default: Tally()].add(document) }
        var sessions: [BSONDocument] = []
        for (wanted, document) in own where wanted.collection == ChatCollection.sessions {
            let tally = tallies[wanted.session] ?? Tally()
            let values: BSONDocument = [
                "message_count": .int32(Int32(clamping: tally.live)),
                "last_message_at": tally.newest.map { .date($0) } ?? .null,
            ]
            guard !made.contains(wanted.id) else {
                sessions.append(values.elements.reduce(into: document) { $0[$1.key] = $1.value })
                continue
            }
            let names = values.keys.filter { document[$0] != values[$0] }
            guard !names.isEmpty else { continue }
            changes.append(
                (
                    wanted.collection, SeedCode.session,
                    FieldChange(
                        id: wanted.id,
                        before: BSONDocument(names.compactMap { name in document[name].map { (name, $0) } }),
                        after: BSONDocument(names.compactMap { name in values[name].map { (name, $0) } }))
                ))
        }
        inserts = [
            (ChatCollection.sessions, sessions),
            (ChatCollection.messages, messages.filter { made.contains($0.wanted.id) }.map(\.document)),
        ]
    }

    /// What a session's messages amount to.
    struct Tally: Sendable {
        var live = 0
        /// When the newest live one was made.
        var newest: Int64?

        mutating func add(_ message: BSONDocument) {
            guard message["deleted"] == .bool(false) else { return }
            live += 1
            newest = max(newest ?? .min, message["created_at"]?.date ?? .min)
        }
    }

    /// What others have added to sessions.
    ///
    /// - Parameter own: The `_id`s of messages that aren't counted.
    private static func foreign(
        _ sessions: [BSONValue], _ own: [BSONValue], _ database: Database
    ) async throws -> [BSONValue: Tally] {
        guard !sessions.isEmpty, try await database.collections()[ChatCollection.messages] != nil else { return [:] }
        let groups = try await database.aggregateAll(
            ChatCollection.messages,
            [
                [
                    "$match": [
                        "session_id": ["$in": .array(BSONArray(sessions))], "deleted": false,
                        "_id": ["$nin": .array(BSONArray(own))],
                    ]
                ],
                ["$group": ["_id": "$session_id", "n": ["$sum": 1], "newest": ["$max": "$created_at"]]],
            ])
        return groups.reduce(into: [:]) { tallies, group in
            tallies[group["_id"] ?? .null] = Tally(
                live: Int(group["n"]?.integer ?? 0), newest: group["newest"]?.date)
        }
    }
}
