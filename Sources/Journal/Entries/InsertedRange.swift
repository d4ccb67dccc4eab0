package import BSON

/// Documents that were inserted under consecutive `_id`s, as the journal knows them: thousands in one entry, by where they
/// begin and a mark of each.
package struct InsertedRange: Sendable, Equatable {
    /// The first `_id`; the others follow by their last four bytes.
    package let first: ObjectID
    /// A mark of each document as it was inserted.
    package let marks: [UInt64]

    /// Describes rows that were written with these `_id`s.
    package init(first: ObjectID, _ rows: BSONRows) {
        self.first = first
        var marks: [UInt64] = []
        marks.reserveCapacity(rows.count)
        rows.withEach { marks.append(Self.mark($0)) }
        self.marks = marks
    }

    /// The last `_id`.
    package var last: ObjectID { first.advanced(by: max(marks.count - 1, 0)) ?? first }

    /// Matches every document whose `_id` is one of them.
    package var filter: BSONDocument { ["_id": ["$gte": .objectID(first), "$lte": .objectID(last)]] }

    /// Whether a document is as it was inserted.
    package func isUntouched(_ document: BSONDocument) -> Bool {
        guard let id = document["_id"]?.objectID, let index = first.distance(to: id), marks.indices.contains(index)
        else { return false }
        return document.withUnsafeBytes(Self.mark) == marks[index]
    }

    /// A number of 64 bits that another document has by chance once in 2⁶⁴: eight bytes at a time, each multiplied into what
    /// came before. It tells what has changed from what hasn't, and nothing else: it is no protection from anybody.
    package static func mark(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var state: UInt64 = 0x243f_6a88_85a3_08d3 ^ UInt64(bytes.count)
        func mix(_ word: UInt64) {
            let product = (state ^ word ^ 0x1319_8a2e_0370_7344).multipliedFullWidth(by: 0xa409_3822_299f_31d1)
            state = product.high ^ product.low ^ (state << 1 | state >> 63)
        }
        var offset = 0
        while offset + 8 <= bytes.count {
            mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        var rest: UInt64 = 0
        for index in offset..<bytes.count { rest = rest << 8 | UInt64(bytes[index]) }
        mix(rest)
        mix(0)
        return state
    }
}

extension InsertedRange {
    /// An entry's fields.
    var document: BSONDocument {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 * marks.count)
        for mark in marks { withUnsafeBytes(of: mark.littleEndian) { bytes.append(contentsOf: $0) } }
        return [
            "first": .objectID(first), "last": .objectID(last), "count": .int64(Int64(marks.count)),
            "marks": .binary(BSONBinary(subtype: 0, bytes: bytes)),
        ]
    }

    init(reading fields: StateFields) throws(StateError) {
        first = try fields.require("first", .objectID)
        let bytes = try fields.require("marks", .binary).bytes
        guard !bytes.isEmpty, bytes.count % 8 == 0 else { throw fields.fault("marks", "eight bytes for each document") }
        marks = stride(from: 0, to: bytes.count, by: 8).map { start in
            bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}

extension InsertedRange {
    /// Finds, for each collection, the smallest and the largest `_id` of the ranges that entries of the journal are about.
    ///
    /// - Parameters:
    ///   - match: Matches the entries.
    ///   - run: Whether each run's are apart.
    static func bounds(_ match: BSONDocument, byRun run: Bool = false) -> [BSONDocument] {
        let id: BSONValue = run ? ["collection": "$collection", "run": "$_id.r"] : "$collection"
        return [
            ["$match": .document(match)], ["$match": ["kind": "range"]],
            ["$group": ["_id": id, "first": ["$min": "$first"], "last": ["$max": "$last"]]],
        ]
    }
}
