internal import BSON

extension WriteModel {
    /// The most writes of one command (`maxWriteBatchSize`, since MongoDB 3.6).
    private static let maximumCount = 100_000
    /// The most bytes of one command: well below `maxMessageSizeBytes`, 48,000,000, of which every write takes some more
    /// than its documents.
    private static let maximumBytes = 40_000_000
    /// What a write takes beyond its documents: names, flags, a collation.
    private static let overhead = 200

    /// The server's command for a write.
    private enum Command {
        case insert
        case update
        case delete
    }

    private var command: Command {
        switch self {
        case .insert: .insert
        case .updateOne, .updateMany, .replaceOne: .update
        case .deleteOne, .deleteMany: .delete
        }
    }

    private var byteCount: Int {
        switch self {
        case .insert(let document): document.byteCount
        case .updateOne(let filter, let update), .updateMany(let filter, let update):
            filter.byteCount + update.byteCount
        case .replaceOne(let filter, let replacement): filter.byteCount + replacement.byteCount
        case .deleteOne(let filter), .deleteMany(let filter): filter.byteCount
        }
    }

    /// Splits a list into parts that are sent as one command each.
    ///
    /// libmongoc would split it likewise, but then keeps one error for all commands: a refused write of one of them
    /// overwrites another's broken connection ("set bson_error_t from first write error", mongoc-write-command.c), and a
    /// command that succeeds erases an earlier one's failure. Then nobody could tell which writes were never done.
    static func commands(for writes: [WriteModel]) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        var start = 0
        var bytes = 0
        for (index, write) in writes.enumerated() {
            let size = write.byteCount + overhead
            let isFull = bytes + size > maximumBytes || index - start == maximumCount
            if index > start, isFull || write.command != writes[start].command {
                parts.append(start..<index)
                (start, bytes) = (index, 0)
            }
            bytes += size
        }
        if start < writes.count { parts.append(start..<writes.count) }
        return parts
    }
}
