package import BSON
package import Journal
internal import MongoDriver
internal import Synchronization

/// What a check found, and how much it looked at.
package struct CheckReport: Sendable {
    /// What is wrong, in the order of the codes.
    package let findings: [Finding]
    /// The number of documents looked at, by collection.
    package let scanned: [String: Int]
    /// The number of documents that there are, by collection.
    package let sizes: [String: Int]
    /// Counters that were being changed at every look: whether they are wrong isn't known.
    package let unsettled: [Unsettled]
    /// What wasn't looked at: because the check was asked to stop, or because it is no collection whose documents could be
    /// wrong or mended; empty when everything was.
    package let unchecked: [String]
    /// Whether the check was asked to stop before its end.
    package let isCutShort: Bool

    /// Counters of a collection that never came to rest.
    package struct Unsettled: Sendable {
        /// The collection.
        package let collection: String
        /// How many.
        package let count: Int
        /// The `_id`s of some.
        package let samples: [BSONDocument]
    }

    /// Whether no error was found; warnings may remain, and what wasn't looked at.
    package var isClean: Bool { findings.allSatisfy { $0.severity == .warning } }
}

/// What a check has found so far, for whoever has to tell before it has come to its end.
package final class CheckSoFar: Sendable {
    struct State {
        var findings = FindingCollector()
        var scanned: [String: Int] = [:]
        /// The sizes of the collections, where not all of their documents are looked at.
        var sizes: [String: Int] = [:]
        var unsettled: [CheckReport.Unsettled] = []
        /// What is still to be looked at.
        var waiting: [String] = []
        var hasBegun = false
        /// What can't be looked at.
        var others: [String] = []
        /// Counters that were looked at together with what they count, by their collection.
        var looks: [String: CounterLook] = [:]
    }

    /// What the first look at a collection's counter has seen.
    struct CounterLook {
        /// The counter's field.
        let field: String
        /// How many counting documents.
        let scanned: Int
        /// What settles; nil where one look is enough.
        let suspects: CounterCheck.Suspects?
        /// What is wrong, where one look is enough.
        let findings: FindingCollector
    }

    let state = Mutex(State())

    /// Whether it is known what there is to look at.
    package var hasBegun: Bool { state.withLock { $0.hasBegun } }

    /// Nothing yet.
    package init() {}

    /// The check as far as it has come.
    package var report: CheckReport {
        state.withLock {
            let waiting = $0.hasBegun ? $0.waiting : ["everything"]
            return CheckReport(
                findings: $0.findings.sorted,
                // What hasn't been counted yet isn't none.
                scanned: waiting.isEmpty ? $0.scanned : $0.scanned.filter { $0.value > 0 },
                sizes: $0.scanned.merging($0.sizes) { $1 }, unsettled: $0.unsettled, unchecked: waiting + $0.others,
                isCutShort: !waiting.isEmpty)
        }
    }
}

/// Looks for everything that can be wrong with a database, and changes nothing.
package struct Checker: Sendable {
    let database: Database
    let schema: DatabaseSchema
    let workers: Int
    let settle: Duration
    private let near: Duration
    let progress: ProgressReport

    /// Makes a checker.
    ///
    /// - Parameters:
    ///   - database: The database.
    ///   - schema: What is right.
    ///   - workers: How many connections count at once.
    ///   - settle: How long counts that look wrong are left alone before they are looked at again; zero looks once.
    ///   - near: A server that answers faster is in the same place. From any other, what crosses the wire takes longer than
    ///     what the server adds up.
    ///   - progress: Where progress is shown.
    package init(
        database: Database, schema: DatabaseSchema, workers: Int = RepairSettings.defaultWorkers,
        settle: Duration = .zero, near: Duration = .milliseconds(5), progress: @escaping ProgressReport
    ) {
        self.database = database
        self.schema = schema
        self.workers = workers
        self.settle = settle
        self.near = near
        self.progress = progress
    }

    /// Looks for findings.
    ///
    /// - Parameters:
    ///   - codes: What to look for.
    ///   - interruption: Ends the check; what wasn't looked at by then is named in the report.
    ///   - soFar: Where what is found is noted, part by part.
    /// - Returns: The findings. Collections that don't exist are empty.
    /// - Throws: `MongoError`.
    package func check(
        _ codes: Set<FindingCode> = Set(FindingCode.allCases), interruption: Interruption = Interruption(),
        soFar: CheckSoFar = CheckSoFar()
    ) async throws -> CheckReport {
        database.forgetCatalog()
        let present = try await database.collections()
        let holding = try await database.holding(schema.collections.map(\.name))
        return try await look(at: parts(present, holding, codes, interruption), present, interruption, soFar)
    }

    /// Looks at one thing after another.
    func look(
        at parts: [Part], _ present: [String: CollectionDescription], _ interruption: Interruption, _ soFar: CheckSoFar
    ) async throws -> CheckReport {
        let others = schema.collections.compactMap { collection in
            present[collection.name].flatMap { $0.isOrdinary ? nil : "\(collection.name) (it is a \($0.type))" }
        }
        soFar.state.withLock { ($0.waiting, $0.others, $0.hasBegun) = (parts.map(\.name), others, true) }
        for (number, part) in parts.enumerated() {
            do {
                try interruption.check()
                progress(ProgressUpdate("checking \(part.name)", done: number, total: parts.count))
                var state = soFar.state.withLock { $0 }
                try await database.again(whereIndexIsGone: {
                    state = soFar.state.withLock { $0 }
                    try await part.look(&state)
                })
                state.waiting.removeFirst()
                soFar.state.withLock { [state] in $0 = state }
            } catch EngineError.interrupted {
                break
            }
        }
        return soFar.report
    }

    /// One thing to look at: its name, and how.
    struct Part {
        let name: String
        let look: (inout CheckSoFar.State) async throws -> Void
    }

    private func parts(
        _ present: [String: CollectionDescription], _ holding: Set<String>, _ codes: Set<FindingCode>,
        _ interruption: Interruption
    ) -> [Part] {
        let ordinary = schema.collections.filter { present[$0.name]?.isOrdinary ?? false }
        var parts = [
            Part(name: "the journal") { state in
                try await checkJournal(present, codes, interruption, &state.findings)
            }
        ]
        for collection in ordinary {
            parts.append(
                Part(name: collection.name) { state in
                    state.scanned[collection.name] = 0
                    guard holding.contains(collection.name) else { return }
                    try await checkIdentities(collection, codes, &state.findings)
                    let counting = ordinary.filter { holding.contains($0.name) }
                    try await checkDocuments(collection, counting, codes, interruption, &state)
                    try await checkUsers(collection, codes, &state.findings)
                })
        }
        for collection in ordinary where !collection.counters.isEmpty && holding.contains(collection.name) {
            parts.append(
                Part(name: "counts of \(collection.name)") { state in
                    try await checkCounters(collection, codes, interruption, &state)
                })
        }
        parts.append(
            Part(name: "guards and indexes") { state in
                try await checkCatalogue(present, codes, &state.findings)
                for (name, count) in state.scanned where count == 0 && holding.contains(name) {
                    state.scanned[name] = try await countDocuments(name)
                }
            })
        return parts
    }

    /// Entries that a run has left open: a document may stand in the journal alone.
    func checkJournal(
        _ present: [String: CollectionDescription], _ codes: Set<FindingCode>, _ interruption: Interruption,
        _ findings: inout FindingCollector
    ) async throws {
        guard codes.contains(.unfinishedRun), present[StateCollection.journal]?.isOrdinary ?? false else { return }
        for left in try await Resumer.left(database, interruption) {
            findings.add(
                Finding(
                    code: .unfinishedRun, collection: StateCollection.journal, field: nil, count: left.count,
                    samples: left.samples))
        }
    }

    func checkIdentities(
        _ collection: CollectionSchema, _ codes: Set<FindingCode>, _ findings: inout FindingCollector
    ) async throws {
        guard !codes.isDisjoint(with: Self.identityCodes) else { return }
        var collected = findings
        try await IdentityScan(database: database).forEachBatch(collection.name) { ids in
            for id in ids {
                let code = IdentityKind(id).code
                if codes.contains(code) { collected.add(code, collection.name, "_id", sample: ["_id": id]) }
            }
        }
        findings = collected
    }

    /// Looks at references and fields; at the counters of what is counted, too, where one pass can.
    ///
    /// - Parameter counting: The collections whose counters may count it.
    private func checkDocuments(
        _ collection: CollectionSchema, _ counting: [CollectionSchema], _ codes: Set<FindingCode>,
        _ interruption: Interruption, _ state: inout CheckSoFar.State
    ) async throws {
        let wantsReferences = !collection.references.isEmpty && !codes.isDisjoint(with: Self.referenceCodes)
        let wantsCounters = !codes.isDisjoint(with: Self.counterCodes)
        let counters: CollectionPass.Counters = !wantsCounters ? .unwanted : settle > .zero ? .settling : .once
        let pass =
            wantsReferences
            ? try await CollectionPass(
                over: collection, in: schema, database, counting: counting, counters: counters, within: near,
                interruption) : nil
        if let pass {
            let hasFaults = try await check(by: pass, codes, &state)
            guard hasFaults || !pass.looksAtFields else { return }
        } else if wantsReferences {
            let scan = ReferenceScan(database: database, collection: collection, schema: schema)
            let result = try await scan.scan(workers: workers, interruption)
            state.scanned[collection.name] = result.scanned
            state.findings.merge(result.findings, codes)
        }
        try await checkFields(collection, codes, &state.findings)
    }

    static let identityCodes: Set<FindingCode> = [.emptyID, .nullID, .textID, .foreignID]

    static let referenceCodes: Set<FindingCode> = [
        .emptyReference, .textReference, .missingReference, .danglingReference, .foreignOwner, .orphan,
    ]

    static let fieldCodes: Set<FindingCode> = [.missingField, .fieldType]

    static let counterCodes = FindingCode.ofCounters

    /// Looks at a collection in one pass.
    ///
    /// - Returns: Whether fields have to be looked at closer.
    private func check(
        by pass: CollectionPass, _ codes: Set<FindingCode>, _ state: inout CheckSoFar.State
    ) async throws -> Bool {
        let (counting, counter) = (pass.scan.collection, pass.scan.counter)
        progress(.note("Reading \(counter.counted) \(pass.description)."))
        let work = WorkDone(
            "checking \(counter.counted) and their \(counting.plural)",
            of: try await database.documentCount(of: counting.name), progress)
        let suspects = pass.counters == .settling ? CounterCheck.Suspects() : nil
        let wrong = Mutex(FindingCollector())
        let outcome = try await pass.run(workers: workers, work) { drifts in
            if let suspects {
                suspects.add(drifts)
            } else {
                wrong.withLock { $0.add(drifts, counter, counting.name, codes) }
            }
        }
        state.scanned[counter.counted] = outcome.references.scanned
        state.findings.merge(try await pass.references.findings(of: outcome.references), codes)
        if pass.counters.areWanted {
            state.looks[counting.name] = CheckSoFar.CounterLook(
                field: counter.field, scanned: outcome.counting, suspects: suspects, findings: wrong.withLock { $0 })
        }
        return outcome.hasFaults
    }

    func checkFields(
        _ collection: CollectionSchema, _ codes: Set<FindingCode>, _ findings: inout FindingCollector
    ) async throws {
        guard !collection.fields.isEmpty, !codes.isDisjoint(with: Self.fieldCodes) else { return }
        for finding in try await FieldScan(database: database, collection: collection).findings()
        where codes.contains(finding.code) {
            findings.add(finding)
        }
    }

    func checkUsers(
        _ collection: CollectionSchema, _ codes: Set<FindingCode>, _ findings: inout FindingCollector
    ) async throws {
        let scan = UserScan(database: database, collection: collection)
        for field in collection.uniqueFields {
            if codes.contains(.duplicateUser) { try await scan.scanDuplicates(field, into: &findings) }
            if codes.contains(.lookalikeUser) { try await scan.scanLookalikes(field, into: &findings) }
        }
        if codes.contains(.missingPassword), let password = collection.passwordField {
            try await scan.scanPasswords(password, into: &findings)
        }
    }

    func checkCounters(
        _ collection: CollectionSchema, _ codes: Set<FindingCode>, _ interruption: Interruption,
        _ state: inout CheckSoFar.State
    ) async throws {
        guard !codes.isDisjoint(with: Self.counterCodes) else { return }
        for counter in collection.counters {
            let look = state.looks[collection.name].flatMap { $0.field == counter.field ? $0 : nil }
            let scan = try await CounterScan(database: database, collection: collection, counter: counter)
            let check = counterCheck(scan, interruption)
            let collected = Mutex(FindingCollector())
            let found: @Sendable ([CounterObservation]) -> Void = { drifts in
                collected.withLock { $0.add(drifts, counter, collection.name, codes) }
            }
            let outcome: CounterCheck.Outcome
            if let look, let suspects = look.suspects {
                outcome = try await check.look(again: suspects, scanned: look.scanned, found)
            } else if let look {
                outcome = CounterCheck.Outcome(scanned: look.scanned)
                state.findings.merge(look.findings)
            } else {
                progress(.note("Counting \(counter.counted) \(scan.access.description)."))
                outcome = try await check.run(found)
            }
            state.findings.merge(collected.withLock { $0 })
            state.add(outcome, collection.name)
        }
    }

    /// How counters are looked at again.
    func counterCheck(_ scan: CounterScan, _ interruption: Interruption) -> CounterCheck {
        CounterCheck(
            scan: scan, workers: workers, settle: settle, rounds: Self.mostLooks, interruption: interruption,
            progress: progress)
    }

    /// How often counts that look wrong are looked at again: what is still being changed then is told as such.
    private static let mostLooks = 5

    func checkCatalogue(
        _ present: [String: CollectionDescription], _ codes: Set<FindingCode>, _ findings: inout FindingCollector
    ) async throws {
        for collection in schema.collections {
            let description = present[collection.name]
            guard description?.isOrdinary ?? true else {
                // A view or a time series can't have one, and is among what isn't looked at.
                continue
            }
            if codes.contains(.missingGuard), Guard.plan(description?.options ?? [:]) != .present {
                findings.add(.missingGuard, collection.name, nil)
            }
            guard codes.contains(.missingIndex) else { continue }
            let indexes = try await database.indexes(of: collection.name)
            for index in collection.indexes
            where !indexes.contains(where: {
                IndexMatch.serves($0, index.document, collation: description?.collation)
            }) {
                findings.add(.missingIndex, collection.name, index.name)
            }
        }
    }

    private func countDocuments(_ collection: String) async throws -> Int {
        let reply = try await database.client.run(
            ["count": .string(collection)], on: database.name, mode: .read, readPreference: database.readPreference)
        return Int(reply["n"]?.integer ?? 0)
    }
}

extension CheckSoFar.State {
    /// Adds what came of looking at a collection's counters.
    mutating func add(_ outcome: CounterCheck.Outcome, _ collection: String) {
        scanned[collection] = max(scanned[collection] ?? 0, outcome.scanned)
        guard !outcome.unsettled.isEmpty else { return }
        unsettled.append(
            CheckReport.Unsettled(
                collection: collection, count: outcome.unsettled.count,
                samples: outcome.unsettled.prefix(Finding.sampleLimit).map { ["_id": $0] }))
    }
}

extension FindingCollector {
    /// Adds counters that are wrong. A time that is absent is among the fields.
    mutating func add(
        _ drifts: [CounterObservation], _ counter: Counter, _ collection: String, _ codes: Set<FindingCode>
    ) {
        for drift in drifts {
            for code in drift.codes(toleranceMS: counter.toleranceMS) where codes.contains(code) && code.isOfCounter {
                add(code, collection, counter.field(of: code), sample: drift.sample(counter))
            }
        }
    }
}

extension CounterObservation {
    /// What a finding shows of it: the counter as it is, and what it should be.
    func sample(_ counter: Counter) -> BSONDocument {
        var sample: BSONDocument = ["_id": id]
        if let count { sample.append(counter.field, count) }
        if let latest { sample.append(counter.latestField, latest) }
        sample.append("counted", .int64(truth.live))
        return sample
    }
}
