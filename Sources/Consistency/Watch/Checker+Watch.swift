package import BSON
internal import Journal
internal import MongoDriver

/// What a quick look at what has changed has found.
package struct QuickLook: Sendable {
    /// What is wrong of it, but for counters.
    package internal(set) var findings: [Finding] = []
    /// What was looked at.
    package internal(set) var looked: [Looked] = []
    /// The documents whose counters may have changed, by their collection.
    package internal(set) var counting: [String: Set<BSONValue>] = [:]
    /// Whether documents were deleted whose counters aren't known.
    package internal(set) var hasUncounted = false
}

extension Checker {
    /// Looks at what has changed a moment ago, and at nothing else; counters are left to ``SettlingCounters``.
    ///
    /// - Parameters:
    ///   - codes: What to look for.
    ///   - touched: What has changed.
    ///   - orphaned: By collection, the fields in which references to what isn't there are known.
    /// - Throws: `MongoError`.
    package func look(
        _ codes: Set<FindingCode>, at touched: TouchedDocuments, orphaned: [String: Set<String>]
    ) async throws -> QuickLook {
        var present = try await database.collections()
        if touched.ids.keys.contains(where: { present[$0] == nil }) {
            database.forgetCatalog()
            present = try await database.collections()
        }
        var look = QuickLook()
        var state = CheckSoFar.State()
        var counting = CountingDocuments(touched, schema)
        for collection in schema.collections where present[collection.name]?.isOrdinary ?? false {
            let ids = touched.ids[collection.name] ?? []
            try await checkIdentities(of: ids, collection, codes, &state.findings)
            look.looked.append(.identities(Array(ids), collection: collection.name))
            // Where indexes tell what has changed, they tell all of these.
            if !touched.isComplete {
                look.looked.append(.all(Self.identityCodes, collection: collection.name, field: nil))
            }
            guard collection.references.isEmpty else {
                try await self.look(
                    collection, codes, touched, orphaned[collection.name] ?? [], &counting, &state,
                    Interruption(), isAccountsWhole: false
                ) { look.looked.append($0) }
                continue
            }
            guard !ids.isEmpty else { continue }
            // Whether a name is taken twice hangs on all others.
            try await checkFields(collection, codes, &state.findings)
            try await checkUsers(collection, codes, &state.findings)
            look.looked.append(.all(Self.userCodes, collection: collection.name, field: nil))
        }
        // An `_id` that is to blame was seen when it came.
        look.findings = state.findings.sortedCauses
        look.counting = counting.ids.filter { !$0.value.isEmpty }
        look.hasUncounted = schema.collections.contains { collection in
            collection.counters.contains { touched.departed.contains($0.counted) }
        }
        return look
    }

    /// Looks at guards and indexes.
    ///
    /// - Throws: `MongoError`.
    package func lookAtCatalogue(_ codes: Set<FindingCode>) async throws -> QuickLook {
        database.forgetCatalog()
        var (look, findings) = (QuickLook(), FindingCollector())
        try await checkCatalogue(try await database.collections(), codes, &findings)
        look.findings = findings.sorted
        look.looked = schema.collections.map {
            .all([.missingGuard, .missingIndex], collection: $0.name, field: nil)
        }
        return look
    }

    static let userCodes: Set<FindingCode> = [
        .duplicateUser, .lookalikeUser, .missingPassword, .missingField, .fieldType,
    ]

    /// Looks at the `_id`s of some documents, as far as they are there.
    private func checkIdentities(
        of ids: Set<BSONValue>, _ collection: CollectionSchema, _ codes: Set<FindingCode>,
        _ findings: inout FindingCollector
    ) async throws {
        let bad = ids.filter { $0.type != .objectID && codes.contains(IdentityKind($0).code) }
        guard !bad.isEmpty else { return }
        let found = try await database.findAll(
            collection.name, filter: ["_id": ["$in": .array(BSONArray(bad))]],
            options: ["projection": ["_id": 1], "collation": .document(ExactMatch.collation)])
        for id in found.compactMap({ $0["_id"] }) {
            findings.add(IdentityKind(id).code, collection.name, "_id", sample: ["_id": id])
        }
    }
}
