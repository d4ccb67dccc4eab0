internal import BSON
internal import Journal

/// When to look for documents to be moved again, and when to give it up for now.
struct IdentityLooks {
    private struct Kind: Hashable {
        let collection: String
        let code: FindingCode
    }

    /// Looks in a row that found nothing.
    private var quiet = 0
    /// Looks in a row that found documents and moved none.
    private var idle = 0
    /// What the present look has found.
    private var met: [Kind: Int] = [:]
    /// How much was changed and refused when it began.
    private var start = (changed: 0, refused: 0)

    private static let quietEnough = 2
    /// What is changed faster than it can be moved is for another time.
    private static let mostIdle = 20
    private static let idlePause = Duration.milliseconds(100)

    /// Begins a look, unless the last ones have found nothing.
    mutating func begin(_ run: Run, refused: Int) -> Bool {
        guard quiet < Self.quietEnough else { return false }
        met = [:]
        start = (run.totals.totalChanged, refused)
        return true
    }

    /// Notes what a look has found.
    mutating func meet(_ documents: [BSONDocument], in collection: String) {
        for document in documents {
            let code = IdentityKind(document["_id"] ?? .null).code
            met[Kind(collection: collection, code: code), default: 0] += 1
        }
    }

    /// Ends a look.
    ///
    /// - Returns: Whether to look on.
    mutating func end(_ run: Run, refused: Int) async throws -> Bool {
        quiet = met.isEmpty ? quiet + 1 : 0
        let isIdle = !met.isEmpty && (run.totals.totalChanged, refused) == (start.changed, start.refused)
        idle = isIdle ? idle + 1 : 0
        if idle >= Self.mostIdle {
            for (kind, count) in met {
                run.totals.left(
                    kind.code.rawValue, kind.collection, count, field: "_id",
                    reason: "changed each time it was to be moved; run the command again")
            }
            return false
        }
        if isIdle { try await run.pause(for: Self.idlePause) }
        return true
    }
}
