internal import BSON

/// How full a capped collection is.
struct CappedRoom {
    /// The number of its documents, and their size in bytes.
    private(set) var count, bytes: Int64
    /// The most that it takes of both; 0, or less, where there is no such limit.
    let most, mostBytes: Int64

    init(count: Int64, bytes: Int64, most: Int64, mostBytes: Int64) {
        self.count = count
        self.bytes = bytes
        self.most = most
        self.mostBytes = mostBytes
    }

    /// Whether documents go in without another going out.
    func fits(_ documents: [BSONDocument]) -> Bool {
        let added = documents.reduce(0) { $0 + $1.byteCount + ($1["_id"] == nil ? Self.idBytes : 0) }
        let fitsCount = most <= 0 || most > Int64(Int32.max) - 1 || count + Int64(documents.count) <= most
        return fitsCount && (mostBytes <= 0 || bytes + Int64(added) <= mostBytes)
    }

    /// What the `_id` takes that a document gets: its type, its name and 12 bytes.
    private static let idBytes = 17

    mutating func remove(_ document: BSONDocument) {
        count -= 1
        bytes -= Int64(document.byteCount)
    }
}
