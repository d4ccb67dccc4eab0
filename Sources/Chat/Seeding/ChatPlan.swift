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
    ///
    /// - Parameter gone: Whether a document is taken for one that isn't there.
    init(
        _ wanted: [WantedDocument], _ database: Database, _ settings: SeedSettings, without gone: Seeder.Gone
    ) async throws {
        guard !wanted.isEmpty else { return }
        self.wanted = Set(wanted.map(\.id))
        // The documents that will be there, and the sessions whose messages, or themselves, are made or changed.
        var final: [(wanted: WantedDocument, document: BSONDocument)] = []
        var touched: Set<BSONValue> = []
        var made: Set<BSONValue> = []
        // Sessions that others own, or that were given to others: nothing is said in them.
        var foreign: Set<BSONValue> = []
        for (collection, group) in [ChatCollection.sessions, ChatCollection.messages].map({ name in
            (name, wanted.filter { $0.collection == name })
        }) {
            let found = try await Self.documents(group, in: collection, database).filter { !gone(collection, $0.key) }
            for item in group where !foreign.contains(item.session) {
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
                    if collection == ChatCollection.sessions, fields.contains("user_id") {
                        foreign.insert(item.id)
                        continue
                    }
                    final.append((item, document))
                    continue
                }
                let after = Self.updated(item, document, fields)
                update(item, document, after)
                final.append((item, after.elements.reduce(into: document) { $0[$1.key] = $1.value }))
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

    /// The fields that an update sets: a time takes those along that can't be before it.
    private static func updated(_ item: WantedDocument, _ found: BSONDocument, _ fields: [String]) -> BSONDocument {
        var names = fields
        if fields.contains("deleted") || (fields.contains("created_at") && found["deleted"] == .bool(true)) {
            names.append("deleted_at")
        }
        var after = BSONDocument(names.compactMap { name in item.document[name].map { (name, $0) } })
        if fields.contains("created_at"), let wanted = item.document["updated_at"]?.date,
            wanted > found["updated_at"]?.date ?? .min
        {
            after.append("updated_at", .date(wanted))
        }
        return after
    }

    private mutating func update(_ item: WantedDocument, _ found: BSONDocument, _ after: BSONDocument) {
        let before = BSONDocument(after.keys.compactMap { name in found[name].map { (name, $0) } })
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
        var tallies = try await Tally.ofOthers(in: Array(touched), but: messages.map(\.wanted.id), database)
        for (wanted, document) in messages { tallies[wanted.session, default: Tally()].add(document) }
        var sessions: [BSONDocument] = []
        for (wanted, document) in own where wanted.collection == ChatCollection.sessions {
            let tally = tallies[wanted.session] ?? Tally()
            if made.contains(wanted.id) {
                sessions.append(tally.values.elements.reduce(into: document) { $0[$1.key] = $1.value })
            } else if let change = tally.change(of: document) {
                changes.append((wanted.collection, SeedCode.session, change))
            }
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
}

extension ChatPlan.Tally {
    /// The fields that count.
    var values: BSONDocument {
        ["message_count": .int32(Int32(clamping: live)), "last_message_at": newest.map { .date($0) } ?? .null]
    }

    /// What makes a session's counts right; nil where they are. As in the application, a session changes no later than its
    /// newest message.
    func change(of session: BSONDocument) -> FieldChange? {
        var values = values
        if let newest, let updated = session["updated_at"]?.date, updated < newest {
            values.append("updated_at", .date(newest))
        }
        let names = values.keys.filter { session[$0] != values[$0] }
        guard !names.isEmpty else { return nil }
        return FieldChange(
            id: session["_id"] ?? .null,
            before: BSONDocument(names.compactMap { name in session[name].map { (name, $0) } }),
            after: BSONDocument(names.compactMap { name in values[name].map { (name, $0) } }))
    }

    /// What the messages in sessions amount to.
    ///
    /// - Parameter own: The `_id`s of messages that aren't counted.
    static func ofOthers(
        in sessions: [BSONValue], but own: [BSONValue], _ database: Database
    ) async throws -> [BSONValue: ChatPlan.Tally] {
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
            tallies[group["_id"] ?? .null] = ChatPlan.Tally(
                live: Int(group["n"]?.integer ?? 0), newest: group["newest"]?.date)
        }
    }
}
