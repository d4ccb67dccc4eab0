internal import BSON
internal import Journal
internal import MongoDriver

/// Finds fields that are absent, or hold another type than the application takes.
///
/// The server passes over what is right and groups the rest by the types of its fields: however much is wrong, a few
/// groups cross the wire.
struct FieldScan: Sendable {
    let database: Database
    let collection: CollectionSchema

    /// What is wrong, each finding with a document of each kind as sample.
    ///
    /// - Throws: `MongoError`.
    func findings() async throws -> [Finding] {
        let rules = collection.fields
        // A group's key may hold no dots: the rules are numbered.
        let key = BSONDocument(
            rules.enumerated().map { ("\($0.offset)", ["$type": .string("$" + $0.element.field)]) })
        let groups = try await database.aggregateAll(
            collection.name,
            [
                ["$match": ["$or": .array(BSONArray(rules.flatMap(Self.suspects).map { .document($0) }))]],
                ["$group": ["_id": .document(key), "n": ["$sum": 1], "first": ["$min": "$_id"]]],
            ], options: ["allowDiskUse": true])
        var findings = FindingCollector()
        for group in groups {
            for (number, rule) in rules.enumerated() {
                let type = group.value(at: "_id", "\(number)")?.string
                guard let code = rule.code(of: type.flatMap(BSONType.init(alias:))) else { continue }
                let isAbsence = code == .missingField
                var sample: BSONDocument = ["_id": group["first"] ?? .null]
                if !isAbsence, let type { sample.append("type", .string(type)) }
                findings.add(
                    Finding(
                        code: code, collection: collection.name, field: rule.field,
                        count: Int(group["n"]?.integer ?? 0), samples: [sample],
                        severity: isAbsence ? rule.severityOfAbsence : code.severity,
                        repair: isAbsence ? rule.repair : code.repair))
            }
        }
        return findings.sorted
    }

    /// Matches what may break a rule; a query's `$type` looks into arrays, so some of it doesn't.
    private static func suspects(_ rule: FieldRule) -> [BSONDocument] {
        var types = rule.types
        switch rule.absence {
        case .allowed, .recounted: types.insert(.null)
        case .reported, .becomes, .copies: break
        }
        var suspect: BSONDocument = ["$not": ["$type": .array(BSONArray(types.map { .string($0.alias) }))]]
        if case .allowed = rule.absence { suspect.append("$exists", true) }
        let inArrays: [BSONDocument] = types.contains(.array) ? [] : [[rule.field: ["$type": "array"]]]
        return [[rule.field: .document(suspect)]] + inArrays
    }
}
