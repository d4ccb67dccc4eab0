internal import BSON
internal import Chat
internal import Consistency
internal import Journal
internal import MongoDriver

/// Finds the database that was probably meant where none was named.
struct OtherDatabase {
    let database: Database

    /// Commands that would say that all is well of a database that nobody uses, or fill it.
    private static let commands: Set<String> = ["check", "check --watch", "seed"]
    private static let internals: Set<String> = ["admin", "config", "local"]
    /// More databases of one server aren't looked at.
    private static let most = 100
    /// So many of the application's collections make a database the application's: a collection of users is anybody's.
    private static let fewest = 2

    /// Refuses to work on the default database where it has none of the application's collections and another one has.
    ///
    /// - Throws: ``Failure``, `MongoError`.
    func refuse(_ command: String) async throws {
        guard Self.commands.contains(command) else { return }
        let expected = Set(DatabaseSchema.chat.collections.map(\.name))
        guard try await database.collections().keys.allSatisfy({ !expected.contains($0) }) else { return }
        var found: [String] = []
        for name in try await names() where name != database.name {
            let present = try? await database.client.listCollections(name)
            if present?.keys.count(where: expected.contains) ?? 0 >= Self.fewest { found.append("`\(name)`") }
        }
        guard !found.isEmpty else { return }
        let hosts = database.client.connectionString.hosts.joined(separator: ",")
        throw Failure(
            .refused,
            "No database was named, and `\(database.name)` at \(hosts) has none of the application's collections, while "
                + "\(Self.list(found)) \(found.count == 1 ? "has" : "have") them. Name the one that is "
                + "meant with --database.")
    }

    private static func list(_ names: [String]) -> String {
        guard names.count > mostNamed else { return Readable.list(names) }
        return names.prefix(mostNamed).joined(separator: ", ") + " and \(names.count - mostNamed) more"
    }

    /// More aren't named one by one.
    private static let mostNamed = 5

    /// The names of the databases that this user may see; none where that may not be asked.
    private func names() async throws -> [String] {
        do {
            let reply = try await database.client.run(
                ["listDatabases": 1, "nameOnly": true, "authorizedDatabases": true], on: "admin", mode: .read)
            let names = (reply["databases"]?.array?.values ?? []).compactMap { $0.document?["name"]?.string }
            return names.filter { !Self.internals.contains($0) }.prefix(Self.most).sorted()
        } catch let error as MongoError where error.isRefusal {
            return []
        }
    }
}
