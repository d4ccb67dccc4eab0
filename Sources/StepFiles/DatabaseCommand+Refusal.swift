internal import BSON
internal import Journal

extension DatabaseCommand {
    /// Why the tool refuses to run the command at all; nil for nearly all.
    ///
    /// - Parameter database: The database that the step works on.
    package func refusal(on database: String) -> String? {
        if let refusal { return refusal }
        guard let other = databases.first(where: { $0 != database }) else { return nil }
        return "it writes to the database \(other); a step works on the one that is connected to"
    }

    /// The reasons that don't depend on the database's name.
    package var refusal: String? {
        if let refusal = KnownCommand.refusals[name] { return refusal }
        if let command = KnownCommand.methods[name] {
            return "\(name) is a method of the shell; the command is \(command)"
        }
        guard let known else {
            return
                "\(name) isn't a command of one database's collections, users and roles, and no step may send it: it may "
                + "concern the whole server"
        }
        if known.subject == .collection, document[name]?.string == nil,
            name != "aggregate" || document[name]?.integer != 1
        {
            return "\(name) names no collection: its first value must be text"
        }
        if document["$db"] != nil { return "it names a database ($db); a step works on the one that is connected to" }
        guard let own = targets.first(where: { $0.hasPrefix(StateCollection.prefix) }) else { return nil }
        return "\(own) is where this tool keeps its own state"
    }

    /// The collections that it changes, or writes to.
    private var targets: [String] {
        var targets = [collection].compactMap { $0 }
        if case .aggregate(let target, _, _) = kind { targets.append(target) }
        targets += outputs.compactMap(\.collection)
        if name == "cloneCollectionAsCapped", let copy = document["toCollection"]?.string { targets.append(copy) }
        return targets
    }

    /// The databases that it names to write to.
    private var databases: [String] { outputs.compactMap(\.database) }

    /// Where something is written to.
    private struct Output {
        var collection: String?
        var database: String?

        init(_ value: BSONValue) {
            collection = value.string ?? value.document?["coll"]?.string
            database = value.document?["db"]?.string
        }
    }

    /// Where its pipelines write to, at whatever depth, and the result of a `mapReduce`.
    private var outputs: [Output] {
        var outputs = Self.outputs(in: document["pipeline"] ?? .null)
        if let explained = document["explain"]?.document.flatMap(DatabaseCommand.init) { outputs += explained.outputs }
        if name.lowercased() == "mapreduce", let out = document["out"] {
            var output = Output(out)
            for action in ["replace", "merge", "reduce"] {
                output.collection = output.collection ?? out.document?[action]?.string
            }
            outputs.append(output)
        }
        return outputs
    }

    private static func outputs(in value: BSONValue) -> [Output] {
        switch value {
        case .document(let document):
            document.elements.flatMap { element -> [Output] in
                switch element.key {
                case "$out": [Output(element.value)]
                case "$merge": [Output(element.value.document?["into"] ?? element.value)]
                case "$literal": []
                default: outputs(in: element.value)
                }
            }
        case .array(let array): array.values.flatMap(outputs)
        default: []
        }
    }
}
