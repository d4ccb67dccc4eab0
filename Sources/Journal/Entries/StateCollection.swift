/// The collections that the engine keeps its own state in, beside the data they speak of, so that a dump of the
/// database carries its history.
package enum StateCollection {
    /// Who holds the right to change the database.
    package static let lease = "chat_admin.lease"
    /// One document per series and version: the ledger.
    package static let migrations = "chat_admin.migrations"
    /// One document per run.
    package static let runs = "chat_admin.runs"
    /// What every change was before and after.
    package static let journal = "chat_admin.journal"

    /// One document per recorded check, and per finding that somebody has accepted.
    package static let checks = "chat_admin.checks"

    /// Copies of documents, on which an update is tried out; there only while a step's file is run.
    package static let preview = "chat_admin.scratch"

    /// What the names of the collections begin with that hold what a step's pipeline makes, before it takes the place of
    /// what a collection holds.
    package static let output = "chat_admin.output"

    /// What all their names begin with.
    package static let prefix = "chat_admin."
}
