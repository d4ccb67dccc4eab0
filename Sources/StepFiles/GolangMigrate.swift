internal import BSON
package import Journal

/// What golang-migrate remembers of a database.
package enum GolangMigrate {
    /// The collection that it keeps its version in, unless its connection string says otherwise.
    package static let collection = "schema_migrations"

    /// The version that golang-migrate has brought a database to.
    ///
    /// - Parameters:
    ///   - database: The database.
    ///   - collection: Where golang-migrate keeps its version.
    /// - Throws: ``EngineError/refused(_:)`` when it was never there, or when its last step failed; `MongoError`.
    package static func version(_ database: Database, collection: String = collection) async throws -> Int64 {
        let found = try await database.findAll(collection, filter: [:], options: ["limit": 2])
        guard found.count < 2 else {
            throw EngineError.refused(
                "\(collection) of `\(database.name)` holds more than one document, and golang-migrate reads any of them. Look "
                    + "which version is right, and delete the others.")
        }
        guard let first = found.first, let version = number(first["version"]), version >= 0 else {
            throw EngineError.refused(
                "golang-migrate hasn't migrated `\(database.name)`: \(collection) has no version. If it keeps it in another "
                    + "collection, \(StepFileAdvice.nameVersionCollection).")
        }
        guard first["dirty"]?.bool == false else {
            throw EngineError.refused(
                "golang-migrate left `\(database.name)` dirty: its step \(version) failed, and may be half applied. Repair "
                    + "what it left, set the version right with `migrate force VERSION` (golang-migrate's own), and try "
                    + "again.")
        }
        return version
    }

    /// The version that golang-migrate has brought a database to, or was bringing it to; nil where it has no record, or has
    /// reverted everything.
    static func recorded(_ database: Database) async throws -> Int64? {
        let found = try await database.findAll(collection, filter: [:], options: ["limit": 1])
        return number(found.first?["version"]).flatMap { $0 >= 0 ? $0 : nil }
    }

    /// A whole number of whatever type: a shell writes doubles.
    private static func number(_ value: BSONValue?) -> Int64? {
        if case .double(let number)? = value { return Int64(exactly: number) }
        return value?.integer
    }
}
