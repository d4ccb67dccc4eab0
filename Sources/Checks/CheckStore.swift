/// Where recorded checks are kept, and what is accepted.
package protocol CheckStore: Sendable {
    /// The newest records first, at most so many.
    func records(limit: Int) async throws -> [CheckRecord]
    /// The records since a time in milliseconds, newest first, without the documents' identities: of years there are many.
    func summaries(since: Int64) async throws -> [CheckRecord]
    /// What is accepted, by number, also where its time is over.
    func acceptances() async throws -> [Acceptance]
    /// Removes records that are older than a number of days: what can't be written shows before a check that takes long.
    func prune(keepingDays: Int) async throws
    /// Keeps a record.
    ///
    /// - Returns: The record as it was kept: with its number, and the time of whoever keeps it.
    func append(_ record: CheckRecord) async throws -> CheckRecord
    /// Keeps a record in place of the one with its number, which may be gone.
    func replace(_ record: CheckRecord) async throws
    /// Accepts.
    ///
    /// - Returns: What was accepted, with its number.
    func accept(_ acceptance: Acceptance) async throws -> Acceptance
    /// Takes an acceptance back.
    ///
    /// - Returns: Whether there was one of this number.
    func unaccept(_ number: Int64) async throws -> Bool
}

extension CheckStore {
    /// A day, in milliseconds.
    static var dayMS: Int64 { 86_400_000 }
}
