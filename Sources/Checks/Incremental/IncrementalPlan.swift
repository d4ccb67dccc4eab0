internal import BSON
package import Consistency
package import Journal
internal import MongoDriver

/// Whether, and how, a check can look at what has changed since a recorded one alone.
package struct IncrementalPlan: Sendable {
    /// What has changed, and is looked at.
    package let touched: TouchedDocuments
    /// What is known of everything else.
    package let carried: CarriedOver
    /// What is said of it.
    package let coverage: CheckCoverage
    /// What the next check has to know.
    package let basis: CheckBasis

    /// What a check can do.
    package enum Choice: Sendable {
        case incremental(IncrementalPlan)
        /// Everything has to be looked at, for this reason.
        case full(because: String)
    }

    /// What each check looks at besides where changes may leave no trace: after 24 checks everything was looked at.
    package static let usualShare = 1.0 / 24

    /// Makes a plan.
    ///
    /// - Parameters:
    ///   - database: The database.
    ///   - schema: What is right.
    ///   - codes: What is looked for.
    ///   - records: The recorded checks, newest first.
    ///   - toolVersion: The tool's version: another one may have found something else.
    ///   - share: How much of the whole is looked at besides, from 0 to 1; nil for none where a stream tells all changes,
    ///     and ``usualShare`` elsewhere.
    ///   - begun: When the check began, by the server's clock, in milliseconds since 1970.
    ///   - interruption: Ends it.
    /// - Throws: ``EngineError/interrupted(_:)``, `MongoError`.
    package static func choose(
        _ database: Database, _ schema: DatabaseSchema, _ codes: Set<FindingCode>, _ records: [CheckRecord],
        toolVersion: String, share: Double?, begun: Int64, _ interruption: Interruption
    ) async throws -> Choice {
        let wanted = codes.map(\.rawValue)
        let complete = records.filter(\.isComplete)
        guard
            let record = complete.first(where: { record in
                // A check that didn't look for their cause tells what follows from it as findings of their own.
                let isAlike = record.codes.contains(FindingCode.textID.rawValue) == codes.contains(.textID)
                return Set(wanted).isSubset(of: record.codes)
                    && (isAlike || !wanted.contains { $0.hasPrefix("ref.") })
            })
        else {
            return .full(
                because: complete.isEmpty
                    ? "no check is recorded yet" : "no recorded check has looked for all of this")
        }
        guard let basis = record.basis, record.toolVersion == toolVersion else {
            return .full(because: "check \(record.number) was recorded by version \(record.toolVersion) of this tool")
        }
        let collections = try await identities(database, schema)
        for (name, identity) in basis.collections.sorted(by: { $0.key < $1.key })
        where collections[name] != identity {
            return .full(
                because:
                    "the collection \(name) isn't the one that check \(record.number) looked at: it was made anew or restored since"
            )
        }
        let changes = RecentChanges(database, schema)
        var source = CheckCoverage.Source.index
        var outcome: RecentChanges.Outcome
        if let token = basis.token {
            outcome = try await changes.since(ResumeToken(token), interruption)
            source = .changeStream
        } else {
            outcome = try await changes.byIndex(since: basis.begun)
        }
        switch outcome {
        case .unknown(let reason): return .full(because: reason)
        case .touched(var touched, let token):
            let share = share ?? (source == .index ? usualShare : 0)
            if share > 0 { touched.slices = try await changes.slices(share, after: basis.places) }
            do {
                let carried = try CarriedOver(record, codes, schema, touched.slices)
                var next = CheckBasis(
                    database: database.name, begun: begun, token: token?.document, collections: collections)
                next.places = touched.slices.compactMapValues(\.upper)
                return .incremental(
                    IncrementalPlan(
                        touched: touched, carried: carried, coverage: CheckCoverage(since: record, source, touched),
                        basis: next))
            } catch {
                return .full(because: "\(error)")
            }
        }
    }

    /// What the next check has to know of a full one that begins now.
    ///
    /// - Parameter begun: As above.
    /// - Throws: `MongoError`.
    package static func basis(
        _ database: Database, _ schema: DatabaseSchema, begun: Int64
    ) async throws -> CheckBasis {
        CheckBasis(
            database: database.name, begun: begun, token: try await RecentChanges(database, schema).place()?.document,
            collections: try await identities(database, schema))
    }

    private static func identities(
        _ database: Database, _ schema: DatabaseSchema
    ) async throws -> [String: BSONValue] {
        let present = try await database.collections()
        return schema.collections.reduce(into: [:]) { $0[$1.name] = present[$1.name]?.uuid }
    }
}
