internal import BSON

/// Counters that were seen wrong, and a fingerprint of what each was like: 24 bytes for nearly all of them, as there may be
/// hundreds of thousands.
struct CounterFingerprints: Sendable {
    private struct Entry {
        let id: ObjectID
        let fingerprint: Int
    }

    private var entries: [Entry] = []
    /// Those of documents whose `_id` is something else.
    private var others: [BSONValue: Int] = [:]

    /// How many there are; one that was added twice counts twice until ``order()``.
    var count: Int { entries.count + others.count }

    /// The documents, in order.
    var ids: [BSONValue] {
        (entries.map { .objectID($0.id) } + others.keys).sorted { $0.precedes($1) }
    }

    /// Adds a counter.
    mutating func add(_ id: BSONValue, _ fingerprint: Int) {
        if let id = id.objectID {
            entries.append(Entry(id: id, fingerprint: fingerprint))
        } else {
            others[id] = fingerprint
        }
    }

    /// Puts them in order, each once.
    mutating func order() {
        entries.sort { $0.id < $1.id }
        var kept = 0
        for index in entries.indices where kept == 0 || entries[kept - 1].id != entries[index].id {
            entries[kept] = entries[index]
            kept += 1
        }
        entries.removeLast(entries.count - kept)
    }

    /// At most so many from a position on, by their documents.
    func part(from start: Int, of size: Int) -> [BSONValue: Int] {
        let end = min(start + size, count)
        var part: [BSONValue: Int] = [:]
        part.reserveCapacity(max(end - start, 0))
        for index in start..<max(start, min(end, entries.count)) {
            part[.objectID(entries[index].id)] = entries[index].fingerprint
        }
        guard end > entries.count else { return part }
        let skipped = max(start - entries.count, 0)
        for (id, fingerprint) in others.dropFirst(skipped).prefix(end - max(start, entries.count)) {
            part[id] = fingerprint
        }
        return part
    }
}
