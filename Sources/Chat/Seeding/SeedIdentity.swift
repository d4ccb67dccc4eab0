internal import BSON
internal import Checksums

/// What makes seeding come out the same every time: `_id`s and salts that are made of names.
enum SeedIdentity {
    /// 2020-01-01T00:00:00Z, the time in every seeded `_id`: none looks as if it were made later than now.
    static let seconds: UInt32 = 1_577_836_800

    /// The `_id` of a document that has a name: four bytes of time, as every ObjectId, and the first eight of the SHA-256 of
    /// the collection's name, a NUL character, and the document's.
    static func id(_ collection: String, _ name: String) throws(ChecksumError) -> ObjectID {
        ObjectID(bytes: time + (try digest([collection, name])).prefix(8)) ?? .min
    }

    /// The first of the `_id`s of documents that have numbers: four bytes of time, the first four of the SHA-256 of the
    /// collection's name, a NUL character, and what tells these documents from others; then the number, which is 0.
    static func first(_ collection: String, _ recipe: String) throws(ChecksumError) -> ObjectID {
        ObjectID(bytes: time + (try digest([collection, recipe])).prefix(4) + [0, 0, 0, 0]) ?? .min
    }

    /// A password's salt. The password is no part of it: whoever sees the salt could then try passwords at the speed of
    /// SHA-256.
    static func salt(_ username: String, seed: UInt64) throws(ChecksumError) -> [UInt8] {
        Array(try digest(["salt", String(seed), username]).prefix(PasswordHash.saltBytes))
    }

    /// Where random choices begin.
    static func seed(_ parts: String...) throws(ChecksumError) -> UInt64 {
        try digest(parts).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static var time: [UInt8] { Array(ObjectID.smallest(at: seconds).bytes.prefix(4)) }

    private static func digest(_ parts: [String]) throws(ChecksumError) -> [UInt8] {
        try SHA256.digest(Array(parts.joined(separator: "\0").utf8))
    }
}
