internal import ArgumentParser
internal import BSON
internal import InputFiles
internal import Journal

/// Tells what happened to one document.
struct History: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell what happened to one document.",
        discussion: """
            Everything that the journal knows of it, oldest first: when, which run and step, and the changed fields \
            before and after. The _id may be the one that it has or one that it had; several documents may have had \
            the same, such as "". Password hashes aren't shown; --format json has everything.
            """)

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The document's collection.")
    var collection: String

    @Argument(
        help: """
            Its _id, new or old: an ObjectId's 24 digits, a text, a number, '' for the empty text, or Extended JSON such \
            as '{"$numberLong": "5"}'.
            """)
    var id: DocumentID

    func run() async throws {
        try await CommandSession.run("history", options) { session in
            session.console.enter(stage: "reading the journal")
            let history = try await DocumentHistory(session.database, collection, id.values)
            if history.events.isEmpty { try await checkCollection(session) }
            try session.console.print(
                HistoryResult(database: session.database.name, collection: collection, history), options.format)
            return .done
        }
    }

    /// A collection that is misspelt has no history either.
    private func checkCollection(_ session: CommandSession) async throws {
        let names = try await session.database.collections().keys.filter { !$0.hasPrefix(StateCollection.prefix) }
        guard !names.contains(collection) else { return }
        let near = NearestName.of(collection, among: names.sorted()).map { " Did you mean `\($0)`?" }
        throw Failure(
            .usage,
            "There is no collection `\(collection)` in \(session.database.name), and the journal knows none."
                + (near ?? " There are \(names.sorted().joined(separator: ", "))."))
    }
}
