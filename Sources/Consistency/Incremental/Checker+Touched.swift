package import BSON
package import Journal
internal import MongoDriver
internal import Synchronization

/// What a check of some documents has looked at.
package enum Looked: Sendable {
    /// The references and fields of some documents, by their `_id`s. Those that aren't there any more are among them.
    case documents([BSONValue], collection: String)
    /// The `_id`s of some documents.
    case identities([BSONValue], collection: String)
    /// The counters of some documents.
    case counters([BSONValue], collection: String)
    /// Everything of these kinds, in one field or in all of them.
    case all(Set<FindingCode>, collection: String, field: String?)
}

extension Checker {
    /// Looks for findings in the documents that have changed, and in what hangs on them; `_id`s, guards, indexes and the
    /// journal are looked at whole, for that is quick, and so are users where one has changed.
    ///
    /// - Parameters:
    ///   - codes: What to look for.
    ///   - touched: What has changed.
    ///   - orphaned: By collection, the fields in which references to what isn't there were known.
    ///   - interruption: Ends the check; what wasn't looked at by then is named in the report.
    ///   - soFar: Where what is found is noted, part by part.
    ///   - looked: Called with what was looked at: what is known of anything else still holds.
    /// - Returns: The findings in what was looked at.
    /// - Throws: `MongoError`, and what the closure throws.
    package func check(
        _ codes: Set<FindingCode>, of touched: TouchedDocuments, orphaned: [String: Set<String>],
        interruption: Interruption = Interruption(), soFar: CheckSoFar = CheckSoFar(),
        looked: @escaping (Looked) throws -> Void
    ) async throws -> CheckReport {
        database.forgetCatalog()
        let present = try await database.collections()
        let ordinary = schema.collections.filter { present[$0.name]?.isOrdinary ?? false }
        // What was touched of a collection that isn't there any more is gone.
        var counting = CountingDocuments(touched, schema)
        let early = codes.isDisjoint(with: Self.counterCodes) ? [:] : try await countEarly(ordinary, touched)
        defer { for task in early.values { task.cancel() } }
        var parts = [
            Part(name: "the journal") { state in
                try await checkJournal(present, codes, interruption, &state.findings)
                try looked(.all([.unfinishedRun], collection: StateCollection.journal, field: nil))
            }
        ]
        for collection in ordinary {
            parts.append(
                Part(name: collection.name) { state in
                    let size = try await database.documentCount(of: collection.name)
                    (state.scanned[collection.name], state.sizes[collection.name]) = (0, size)
                    try await checkIdentities(collection, codes, &state.findings)
                    try looked(.all(Self.identityCodes, collection: collection.name, field: nil))
                    guard !collection.references.isEmpty else {
                        guard !touched.leaves(collection.name) else { return }
                        try await checkFields(collection, codes, &state.findings)
                        try await checkUsers(collection, codes, &state.findings)
                        state.scanned[collection.name] = size
                        return try looked(.all(Set(FindingCode.allCases), collection: collection.name, field: nil))
                    }
                    try await look(
                        collection, codes, touched, orphaned[collection.name] ?? [], &counting, &state, interruption,
                        looked)
                })
        }
        for collection in ordinary where !collection.counters.isEmpty {
            parts.append(
                Part(name: "counts of \(collection.name)") { state in
                    guard !codes.isDisjoint(with: Self.counterCodes) else { return }
                    try await count(
                        collection, codes, touched, counting, early[collection.name], interruption, &state, looked)
                })
        }
        parts.append(
            Part(name: "guards and indexes") { state in
                try await checkCatalogue(present, codes, &state.findings)
                for collection in schema.collections {
                    try looked(.all([.missingGuard, .missingIndex], collection: collection.name, field: nil))
                }
            })
        return try await look(at: parts, present, interruption, soFar)
    }

    /// So many values are asked for at once.
    private static let together = 1_000

    /// Looks at what was touched of a collection, and at what refers to documents that have come or gone.
    ///
    /// - Parameter isAccountsWhole: Whether all that belongs to an account that is gone is looked for, where only some of it
    ///   was seen.
    func look(
        _ collection: CollectionSchema, _ codes: Set<FindingCode>, _ touched: TouchedDocuments,
        _ orphaned: Set<String>, _ counting: inout CountingDocuments, _ state: inout CheckSoFar.State,
        _ interruption: Interruption, isAccountsWhole: Bool = true, _ looked: (Looked) throws -> Void
    ) async throws {
        let name = collection.name
        let ids = touched.ids[name] ?? []
        let slice = touched.slices[name]
        var look = DocumentLook(database, collection, schema, codes)
        var found = counting
        for some in Array(ids).chunks(of: Self.together) {
            try await look.look(["_id": ["$in": .array(BSONArray(some))]]) { found.add($0, of: collection) }
            // Those that weren't found are gone.
            try looked(.documents(some, collection: name))
        }
        if let slice {
            let isWanted = { !ids.contains($0) }
            try await look.look([:], slice.options, isWanted: isWanted) { documents in
                try looked(.documents(documents.map { $0["_id"] ?? .null }, collection: name))
                found.addSlice(documents, of: collection)
            }
        }
        for reference in collection.references where !reference.outlivesTarget {
            let values = (touched.moved[reference.target] ?? []).flatMap(\.asReferences)
            for some in Array(Set(values)).chunks(of: Self.together) {
                let filter: BSONDocument = [reference.field: ["$in": .array(BSONArray(some))]]
                let isWanted = { !ids.contains($0) && !(slice?.contains($0) ?? false) }
                try await look.look(filter, isWanted: isWanted) { documents in
                    try looked(.documents(documents.map { $0["_id"] ?? .null }, collection: name))
                }
            }
        }
        counting = found
        var outcome = look.outcome
        for reference in collection.references where reference.outlivesTarget && codes.contains(.orphan) {
            // At the end of a round of slices what is gone without a trace is to be told, too.
            let mayDiffer =
                touched.arrived.contains(reference.target) || touched.departed.contains(name)
                || slice.map { $0.upper == nil } ?? false
            guard
                touched.gone.contains(reference.target)
                    || isAccountsWhole && outcome.orphaned.contains(reference.field)
                    || orphaned.contains(reference.field) && mayDiffer
            else { continue }
            // Whose account is gone is told by account: it isn't known which of an account's documents were known.
            progress(.note("Reading all of \(name): accounts that \(reference.field) names have come or gone."))
            outcome.findings.remove(Self.referenceCodes, name, reference.field)
            let scan = ReferenceScan(
                database: database, collection: collection.referring(by: reference), schema: schema)
            let whole = try await scan.scan(workers: workers, interruption)
            outcome.findings.merge(whole.findings, codes)
            outcome.scanned = max(outcome.scanned, whole.scanned)
            try looked(.all(Self.referenceCodes, collection: name, field: reference.field))
        }
        state.findings.merge(outcome.findings, codes)
        state.scanned[name] = outcome.scanned
    }

    /// Begins to count what is known to be touched, on connections of its own, while documents are looked at.
    ///
    /// - Returns: By collection, the counters that look wrong; none where that takes another way, or more than one counter
    ///   counts.
    private func countEarly(
        _ collections: [CollectionSchema], _ touched: TouchedDocuments
    ) async throws -> [String: Task<[CounterObservation], any Error>] {
        var tasks: [String: Task<[CounterObservation], any Error>] = [:]
        for collection in collections where collection.counters.count == 1 {
            guard let counter = collection.counters.first, !touched.departed.contains(counter.counted),
                let ids = touched.ids[collection.name], !ids.isEmpty
            else { continue }
            let scan = try await CounterScan(database: database, collection: collection, counter: counter)
            guard scan.access != .onePass else { continue }
            let (workers, settle) = (workers, settle)
            tasks[collection.name] = Task {
                try await scan.database.client.withSibling { client in
                    try await scan.on(scan.database.on(client)).drifts(
                        of: Array(ids), fingerprints: settle > .zero, workers: workers)
                }
            }
        }
        return tasks
    }

    /// Looks at the counters of what was touched.
    ///
    /// - Parameter early: Counts those already that were known to be touched.
    private func count(
        _ collection: CollectionSchema, _ codes: Set<FindingCode>, _ touched: TouchedDocuments,
        _ counting: CountingDocuments, _ early: Task<[CounterObservation], any Error>?,
        _ interruption: Interruption, _ state: inout CheckSoFar.State, _ looked: (Looked) throws -> Void
    ) async throws {
        let ids = Array(counting.ids[collection.name] ?? [])
        for counter in collection.counters {
            let scan = try await CounterScan(database: database, collection: collection, counter: counter)
            if touched.departed.contains(counter.counted) || scan.access == .onePass && !ids.isEmpty {
                progress(.note("Counting all of \(counter.counted): some were deleted, or no index tells them apart."))
                try await checkCounters(collection, codes, interruption, &state)
                return try looked(.all(Self.counterCodes, collection: collection.name, field: nil))
            }
            let check = counterCheck(scan, interruption)
            let collected = Mutex(FindingCollector())
            let found: @Sendable ([CounterObservation]) -> Void = { drifts in
                collected.withLock { $0.add(drifts, counter, collection.name, codes) }
            }
            let counted = early == nil ? [] : touched.ids[collection.name] ?? []
            let rest = counted.isEmpty ? ids : ids.filter { !counted.contains($0) }
            let drifts =
                try await scan.drifts(of: rest, fingerprints: settle > .zero, workers: workers)
                + (try await early?.value ?? [])
            var outcome = CounterCheck.Outcome(scanned: ids.count)
            if settle > .zero {
                let suspects = CounterCheck.Suspects()
                suspects.add(drifts)
                outcome = try await check.look(again: suspects, scanned: ids.count, found)
            } else {
                found(drifts)
            }
            state.findings.merge(collected.withLock { $0 })
            state.add(outcome, collection.name)
        }
        try looked(.counters(ids, collection: collection.name))
    }
}

/// The documents whose counters are to be looked at.
struct CountingDocuments {
    private(set) var ids: [String: Set<BSONValue>] = [:]
    private let schema: DatabaseSchema

    init(_ touched: TouchedDocuments, _ schema: DatabaseSchema) {
        self.schema = schema
        for collection in schema.collections where !collection.counters.isEmpty {
            ids[collection.name] = touched.ids[collection.name] ?? []
        }
    }

    /// Adds what counts some documents.
    mutating func add(_ documents: [BSONDocument], of collection: CollectionSchema) {
        for holder in schema.collections {
            for counter in holder.counters where counter.counted == collection.name {
                for document in documents {
                    guard let value = document[counter.reference], value.canBeID else { continue }
                    ids[holder.name, default: []].insert(value)
                }
            }
        }
    }

    /// Adds those of some documents that count.
    mutating func addSlice(_ documents: [BSONDocument], of collection: CollectionSchema) {
        guard !collection.counters.isEmpty else { return }
        for document in documents { ids[collection.name, default: []].insert(document["_id"] ?? .null) }
    }
}

extension BSONValue {
    /// The values by which a document with this `_id` is, or could be, referred to; none for what refers to nothing whatever
    /// is there.
    fileprivate var asReferences: [BSONValue] {
        guard let id = Identity.objectID(self) else { return self == .string("") || isNull ? [] : [self] }
        return [.objectID(id), .string(id.hex), .string(id.hex.uppercased())]
    }
}

extension Array {
    /// Its elements, at most so many at once.
    fileprivate func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
