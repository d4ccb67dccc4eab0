
/// Where recorded checks are kept, and what is accepted.
package protocol CheckStore: Sendable {
    /// The newest records first, at most so many.
    func records(limit: Int) async throws -> [CheckRecord]
    /// What is accepted, by number, also where its time is over.
    func acceptances() async throws -> [Acceptance]
    /// Keeps a record, and removes those that are older than a number of days.
    ///
    /// - Returns: The record as it was kept: with its number, and the time of whoever keeps it.
    func append(_ record: CheckRecord, keepingDays: Int) async throws -> CheckRecord
    /// Accepts.
    ///
    /// - Returns: What was accepted, with its number.
    func accept(_ acceptance: Acceptance) async throws -> Acceptance
    /// Takes an acceptance back.
    ///
    /// - Returns: Whether there was one of this number.
    func unaccept(_ number: Int64) async throws -> Bool
}

/// Nothing is kept.
package struct NoCheckStore: CheckStore {
    /// Knows nothing.
    package init() {}

    package func records(limit: Int) async throws -> [CheckRecord] { [] }
    package func acceptances() async throws -> [Acceptance] { [] }
    package func append(_ record: CheckRecord, keepingDays: Int) async throws -> CheckRecord { record }
    package func accept(_ acceptance: Acceptance) async throws -> Acceptance { acceptance }
    package func unaccept(_ number: Int64) async throws -> Bool { false }
}

extension CheckStore {
    /// A day, in milliseconds.
    static var dayMS: Int64 { 86_400_000 }
}
