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
    /// Which documents are looked at; empty for all.
    var condition: BSONDocument = [:]

    /// What is wrong, each finding with a document of each kind as sample.
    ///
    /// - Throws: `MongoError`.
    func findings() async throws -> [Finding] {
        let rules = collection.fields
        let groups = try await database.aggregateAll(
            collection.name,
            [
                ["$match": .document(suspects)],
                ["$group": ["_id": .document(key), "n": ["$sum": 1], "first": ["$min": "$_id"]]],
            ], options: ["allowDiskUse": true])
        var findings = FindingCollector()
        let subjects = try await subjects(groups.reduce(0) { $0 + Int($1["n"]?.integer ?? 0) })
        for group in groups {
            for (number, rule) in rules.enumerated() {
                let type = group.value(at: "_id", "\(number)")?.string
                guard let code = rule.code(of: type.flatMap(BSONType.init(alias:))) else { continue }
                let isAbsence = code == .missingField
                var sample: BSONDocument = ["_id": group["first"] ?? .null]
                if !isAbsence, let type { sample.append("type", .string(type)) }
                var finding = Finding(
                    code: code, collection: collection.name, field: rule.field, count: Int(group["n"]?.integer ?? 0),
                    samples: [sample], severity: isAbsence ? rule.severityOfAbsence : code.severity,
                    repair: isAbsence ? rule.repair : code.repair)
                finding.hasAllSubjects = finding.count == 1
                if let key = group["_id"]?.document, let ids = subjects?[key], ids.count == finding.count {
                    (finding.subjects, finding.hasAllSubjects) = (ids, true)
                }
                findings.add(finding)
            }
        }
        return findings.sorted
    }

    /// The types of a document's fields. A group's key may hold no dots: the rules are numbered.
    private var key: BSONDocument {
        BSONDocument(
            collection.fields.enumerated().map { ("\($0.offset)", ["$type": .string("$" + $0.element.field)]) })
    }

    /// Matches what may break a rule.
    private var suspects: BSONDocument {
        var suspects = condition
        suspects.append("$or", .array(BSONArray(collection.fields.flatMap(Self.suspects).map { .document($0) })))
        return suspects
    }

    /// The documents that were found, by the types of their fields; nil where there are too many.
    private func subjects(_ count: Int) async throws -> [BSONDocument: [BSONValue]]? {
        guard (1...Finding.mostSubjects).contains(count) else { return nil }
        let found = try await database.aggregateAll(
            collection.name,
            [
                ["$match": .document(suspects)], ["$limit": .int64(Int64(Finding.mostSubjects))],
                ["$project": ["types": .document(key)]],
            ])
        return found.reduce(into: [:]) { result, document in
            guard let types = document["types"]?.document else { return }
            result[types, default: []].append(document["_id"] ?? .null)
        }
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
