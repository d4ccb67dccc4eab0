internal import MongoDriver

/// The database refuses a document that is to be seeded.
package struct SeedRefusal: Error, CustomStringConvertible {
    let collection: String
    let reason: String

    package var description: String {
        "`\(collection)` refuses a document that is to be seeded: \(reason). An index or a validator of its own stands in "
            + "the way. What was made until then stays; an undo of the run takes it away."
    }

    /// Does something with a collection, and names it where that is refused for what a document holds.
    static func naming<R>(_ collection: String, _ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let error as MongoError where [.duplicateKey, .documentValidation].contains(error.kind) {
            throw SeedRefusal(collection: collection, reason: error.message)
        }
    }
}
