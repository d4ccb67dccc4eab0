internal import BSON

/// What the documents that a counter counts really are.
struct CountedValues: Sendable, Hashable {
    /// How many are live.
    var live: Int64 = 0
    /// How many there are, deleted ones included.
    var total: Int64 = 0
    /// How many of the live ones, and of all, have no date that says when they were created.
    var undatedLive: Int64 = 0
    var undated: Int64 = 0
    /// When the newest live one was created, in milliseconds since 1970.
    var newestLive: Int64?
    /// When the newest of all was created.
    var newest: Int64?
    /// When the oldest of all was created: with the others and the two `_id`s, the fingerprint that tells whether anything
    /// changed.
    var oldest: Int64?
    /// The smallest and the largest `_id` of all; known only where two looks are to be compared. What is deleted for good
    /// and what is inserted may cancel each other out in the numbers, but a new document has the largest `_id`.
    var smallest: BSONValue?
    var largest: BSONValue?

    init() {}

    init(_ group: BSONDocument) {
        live = group["live"]?.integer ?? 0
        total = group["total"]?.integer ?? 0
        undatedLive = group["undatedLive"]?.integer ?? 0
        undated = group["undated"]?.integer ?? 0
        newestLive = group["newestLive"]?.date
        newest = group["newest"]?.date
        oldest = group["oldest"]?.date
        smallest = group["smallest"]
        largest = group["largest"]
    }

    /// Whether it is known when the newest one was created.
    var knowsNewest: Bool { live > 0 ? undatedLive == 0 : undated == 0 }

    /// What is known when the live documents were looked at alone.
    init(_ count: LiveCount) {
        live = count.live
        total = count.live
        undatedLive = count.undated
        undated = count.undated
        newestLive = count.newest
        newest = count.newest
    }

    /// Groups counted documents so, as the application sees them.
    ///
    /// - Parameter fingerprints: Whether two looks are to be compared; an index of the counted fields then isn't enough.
    static func pipeline(_ counter: Counter, fingerprints: Bool) -> [BSONDocument] {
        let deleted: BSONValue = .string("$" + counter.deletedField)
        let created: BSONValue = .string("$" + counter.createdField)
        let isLive: BSONValue = ["$eq": [deleted, false]]
        let isDate: BSONValue = ["$eq": [["$type": created], "date"]]
        // Only dates take part: text sorts before dates, and would otherwise hide in `$max`.
        let date: BSONValue = ["$cond": [isDate, created, .null]]
        var group: BSONDocument = [
            "_id": .string("$" + counter.reference),
            "live": ["$sum": ["$cond": [isLive, 1, 0]]],
            "total": ["$sum": 1],
            "undatedLive": ["$sum": ["$cond": [["$and": [isLive, ["$not": [isDate]]]], 1, 0]]],
            "undated": ["$sum": ["$cond": [isDate, 0, 1]]],
            "newestLive": ["$max": ["$cond": [isLive, date, .null]]],
            "newest": ["$max": date],
            "oldest": ["$min": date],
        ]
        if fingerprints {
            group.append("smallest", ["$min": "$_id"])
            group.append("largest", ["$max": "$_id"])
        }
        return [["$group": .document(group)]]
    }
}

/// The part of the truth that one look at an index tells at the least cost: of live documents alone.
struct LiveCount: Sendable {
    private(set) var live: Int64
    /// How many have no date that says when they were created.
    private(set) var undated: Int64
    /// When the newest was created; nil where there is none, or where it isn't a date.
    private(set) var newest: Int64?

    static let none = LiveCount([:])

    init(_ group: BSONDocument) {
        live = group["live"]?.integer ?? 0
        undated = group["undated"]?.integer ?? 0
        newest = group["newest"]?.date
    }

    /// Adds a live document, by its time of creation.
    mutating func add(_ created: BSONValue?) {
        live += 1
        guard let created = created?.date else {
            undated += 1
            return
        }
        newest = newest.map { max($0, created) } ?? created
    }

    /// Adds what was counted elsewhere.
    mutating func add(_ other: LiveCount) {
        live += other.live
        undated += other.undated
        newest = [newest, other.newest].compactMap { $0 }.max()
    }

    /// - Parameter condition: Which counting documents, by their `_id`.
    static func pipeline(_ counter: Counter, _ condition: BSONValue) -> [BSONDocument] {
        [
            ["$match": .document([counter.reference: condition, counter.deletedField: false])],
            [
                "$group": [
                    "_id": .string("$" + counter.reference), "live": ["$sum": 1],
                    "undated": [
                        "$sum": ["$cond": [["$eq": [["$type": .string("$" + counter.createdField)], "date"]], 0, 1]]
                    ],
                    "newest": ["$max": .string("$" + counter.createdField)],
                ]
            ],
        ]
    }
}
