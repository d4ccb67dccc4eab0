/// Binary data with a subtype.
///
/// The subtypes are listed in <https://bsonspec.org/spec.html>: 0 is general data, 4 a UUID, 5 an MD5 digest and
/// so on. Subtype 2, the old general one, holds a second length in front of its data; that length is neither part
/// of ``bytes`` nor lost: it is checked on reading and written again.
public struct BSONBinary: Hashable, Sendable {
    /// The subtype that holds its length twice.
    static let oldSubtype: UInt8 = 2

    /// What the bytes mean, 0 to 255.
    public var subtype: UInt8

    /// The data itself, without any length.
    public var bytes: [UInt8]

    /// Makes binary data.
    ///
    /// - Parameters:
    ///   - subtype: What the bytes mean; 0 for general data.
    ///   - bytes: The data itself, at most some 2 GiB.
    public init(subtype: UInt8 = 0, bytes: [UInt8]) {
        self.subtype = subtype
        self.bytes = bytes
    }
}
