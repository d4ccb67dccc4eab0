/// The deprecated pointer to a document of another collection (<https://bsonspec.org/spec.html>).
///
/// Equality compares the namespace by its UTF-8 bytes.
public struct BSONDBPointer: Hashable, Sendable {
    /// The database and the collection, for example "shop.orders".
    public var namespace: String

    /// The `_id` of the document.
    public var id: ObjectID

    /// Makes a pointer.
    public init(namespace: String, id: ObjectID) {
        self.namespace = namespace
        self.id = id
    }

    /// Whether both have the same namespace, byte by byte, and the same identifier.
    public static func == (left: BSONDBPointer, right: BSONDBPointer) -> Bool {
        left.id == right.id && left.namespace.hasSameBytes(as: right.namespace)
    }
}
