package import BSON
internal import MongoDriver

/// What a stream of changes says of one change, as far as a check needs it.
package struct ChangeEvent: Sendable {
    private let event: BSONDocument

    init(_ event: BSONDocument) { self.event = event }

    /// `insert`, `update`, `replace`, `delete`, `drop`, `rename`, `dropDatabase`, `invalidate`.
    var kind: String { event["operationType"]?.string ?? "" }
    /// The collection; empty where it is the whole database.
    var collection: String { event.value(at: "ns", "coll")?.string ?? "" }
    /// The name that a collection has got.
    var newName: String { event.value(at: "to", "coll")?.string ?? "" }
    /// The document.
    var id: BSONValue { event.value(at: "documentKey", "_id") ?? .null }

    /// A field's value in the document that was inserted, or put in another's place.
    func value(_ field: String) -> BSONValue? { event.value(at: "fullDocument", field) }

    /// Whether an update has changed a field.
    func hasChanged(_ field: String) -> Bool {
        event.value(at: "updateDescription", "updatedFields", field) != nil
            || (event.value(at: "updateDescription", "removedFields")?.array?.values.contains(.string(field)) ?? false)
    }

    /// Leaves of each event what is needed: no contents cross the wire.
    package static func pipeline(_ schema: DatabaseSchema) -> [BSONDocument] {
        var projection: BSONDocument = [
            "operationType": 1, "ns": 1, "to": 1, "documentKey": 1, "updateDescription.removedFields": 1,
        ]
        let fields = Set(schema.collections.flatMap { $0.references.map(\.field) + [$0.ownerField].compactMap { $0 } })
        for field in fields.sorted() {
            projection.append("updateDescription.updatedFields.\(field)", 1)
            projection.append("fullDocument.\(field)", 1)
        }
        let names = schema.collections.map { BSONValue.string($0.name) }
        return [
            [
                "$match": [
                    "$or": [
                        ["ns.coll": ["$in": .array(BSONArray(names))]],
                        // Another collection that takes the name, as `$out` does.
                        ["to.coll": ["$in": .array(BSONArray(names))]],
                        ["operationType": ["$in": ["dropDatabase", "invalidate"]]],
                    ]
                ]
            ],
            ["$project": .document(projection)],
        ]
    }
}

/// Adds changes up.
struct ChangeCollector {
    private let schema: DatabaseSchema
    private(set) var touched = TouchedDocuments(isComplete: true)
    /// What has come since, by its collection.
    private var new: [String: Set<BSONValue>] = [:]

    init(_ schema: DatabaseSchema) { self.schema = schema }

    /// Adds a change.
    ///
    /// - Returns: Why more than single documents has changed, if so.
    mutating func add(_ event: ChangeEvent) -> String? {
        let (id, name) = (event.id, event.collection)
        switch event.kind {
        case "drop": return "the collection \(name) was dropped or renamed since then"
        case "rename":
            let other = event.newName
            let known = schema.collection(name) == nil ? other : name
            return "the collection \(known) was dropped or renamed since then"
        case "dropDatabase", "invalidate": return "the database was dropped since then"
        default: break
        }
        guard let collection = schema.collection(name) else { return nil }
        let isNew = new[name]?.contains(id) ?? false
        switch event.kind {
        case "insert":
            new[name, default: []].insert(id)
            touched.addArrived(id, in: name)
            touchCounting(event, of: collection)
        case "delete":
            touched.addGone(id, in: name, isNew: isNew)
        case "replace":
            if isNew { touched.add(id, in: name) } else { touched.addDeparted(id, in: name, isMoved: true) }
            touchCounting(event, of: collection)
        default:
            let isMoved = collection.ownerField.map(event.hasChanged) ?? false
            if !isNew, collection.references.contains(where: { event.hasChanged($0.field) }) {
                touched.addDeparted(id, in: name, isMoved: isMoved)
            } else {
                touched.add(id, in: name, isMoved: isMoved)
            }
        }
        return nil
    }

    /// What counts a document has to be counted, even if the document goes again.
    private mutating func touchCounting(_ event: ChangeEvent, of collection: CollectionSchema) {
        for holder in schema.collections {
            for counter in holder.counters where counter.counted == collection.name {
                guard let value = event.value(counter.reference), value.canBeID, !value.isNull else { continue }
                touched.add(value, in: holder.name, isMoved: false)
            }
        }
    }
}
