internal import BSON
internal import Journal
internal import MongoDriver

/// How the documents that a counter counts are read.
enum CounterAccess: Sendable, Equatable {
    /// Range by range from an index that holds everything that is needed: the documents themselves aren't read.
    case index(name: String)
    /// In one pass over the collection, for there is no such index.
    case onePass

    /// The choice in words.
    var description: String {
        switch self {
        case .index(let name): "range by range, from the index \(name) alone"
        case .onePass: "in one pass over the collection: no index holds all that is needed (step 4 makes one)"
        }
    }

    /// Chooses the better way that there is.
    ///
    /// An index serves when its first field is the reference, when it holds the other two fields, when every document is
    /// in it, and when no array is: an index with arrays in it can't answer for the documents.
    static func choose(_ database: Database, _ counter: Counter) async throws -> CounterAccess {
        let needed = [counter.deletedField, counter.createdField]
        let indexes: [BSONDocument]
        do {
            indexes = try await database.indexes(of: counter.counted)
        } catch let error as MongoError where error.code == MongoError.ServerCode.commandNotSupportedOnView {
            return .onePass
        }
        let fitting = indexes.filter { index in
            guard let key = index["key"]?.document, key.keys.first == counter.reference else { return false }
            return needed.allSatisfy { key[$0]?.number != nil } && key[counter.reference]?.number != nil
                && index["sparse"]?.bool != true && index["partialFilterExpression"] == nil
                && index["collation"] == nil && index["hidden"]?.bool != true
        }
        for index in fitting.sorted(by: {
            ($0["key"]?.document?.keys.count ?? 0) < ($1["key"]?.document?.keys.count ?? 0)
        }) {
            guard let name = index["name"]?.string, try await isCovering(name, database, counter) else { continue }
            return .index(name: name)
        }
        return .onePass
    }

    /// Asks the server: whether it answers from the index alone.
    private static func isCovering(_ name: String, _ database: Database, _ counter: Counter) async throws -> Bool {
        let range = IDRange(lower: .min, upper: nil)
        let reply = try await database.client.run(
            [
                "explain": [
                    "aggregate": .string(counter.counted),
                    "pipeline": .array(BSONArray(LiveCount.pipeline(counter, range.condition).map { .document($0) })),
                    "hint": .string(name), "cursor": [:],
                ],
                "verbosity": "queryPlanner",
            ], on: database.name, mode: .plain)
        return !reply.contains(stage: "FETCH") && !reply.contains(stage: "COLLSCAN")
    }
}

extension BSONDocument {
    /// Whether an explanation's plan has a stage anywhere in it.
    fileprivate func contains(stage: String) -> Bool {
        for element in elements {
            if element.key == "rejectedPlans" { continue }
            if element.key == "stage", element.value.string == stage { return true }
            if let document = element.value.document, document.contains(stage: stage) { return true }
            let values = element.value.array?.values ?? []
            if values.contains(where: { $0.document?.contains(stage: stage) ?? false }) { return true }
        }
        return false
    }
}
