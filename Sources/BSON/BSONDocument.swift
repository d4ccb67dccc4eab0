/// A BSON document: keys with values, in order, kept as the bytes of <https://bsonspec.org/spec.html>.
///
/// A document is either checked completely when it is made of bytes, or written by this module, so reading it
/// cannot fail. Values are decoded when they are asked for. Strings need not be valid UTF-8: reading one repairs
/// it, while the bytes of the document stay as they are until the element itself is replaced.
///
/// Keys may occur more than once. Keys compare by their UTF-8 bytes, without Unicode equivalence.
public struct BSONDocument: Sendable {
    /// How many documents and arrays may be nested, the outermost included, for bytes to be valid.
    ///
    /// This is the server's own limit. Documents made of values are not checked for it.
    public static let maximumDepth = 200

    /// The bytes of the document, always a valid one.
    private var storage: [UInt8]

    /// Makes an empty document, of five bytes.
    public init() {
        storage = [5, 0, 0, 0, 0]
    }

    /// Makes a document of bytes that are known to be one.
    init(trusted bytes: [UInt8]) {
        storage = bytes
    }

    /// Makes a document of its bytes after checking them completely, nested documents included.
    ///
    /// - Parameter bytes: Exactly one document; neither fewer nor more bytes.
    /// - Throws: ``BSONError`` with the offset of the first thing that is wrong.
    public init(validating bytes: [UInt8]) throws(BSONError) {
        try BSONValidator.check(bytes.span.bytes)
        storage = bytes
    }

    /// Makes a document of a copy of its bytes, which is then checked like `init(validating:)-(Array<UInt8>)`.
    ///
    /// - Parameter buffer: Exactly one document; neither fewer nor more bytes.
    /// - Throws: ``BSONError`` with the offset of the first thing that is wrong.
    public init(validating buffer: UnsafeRawBufferPointer) throws(BSONError) {
        try self.init(validating: [UInt8](buffer))
    }

    /// Makes a document of keys and values, in order; equal keys are all kept.
    ///
    /// - Precondition: No key holds a NUL character.
    public init(_ pairs: some Sequence<(String, BSONValue)>) {
        self.init()
        for (key, value) in pairs {
            append(key, value)
        }
    }

    /// The bytes of the document.
    public var bytes: [UInt8] {
        storage
    }

    /// The number of bytes, at least 5.
    public var byteCount: Int {
        storage.count
    }

    /// Whether there are no elements.
    public var isEmpty: Bool {
        storage.count == BSONValidator.minimumDocumentSize
    }

    /// Calls `body` with the bytes of the document, which are valid only until it returns.
    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try storage.withUnsafeBytes(body)
    }

    /// Replaces the bytes of whole elements by those of others, and corrects the length.
    mutating func replaceElements(_ range: Range<Int>, with elements: some Collection<UInt8>) {
        storage.replaceSubrange(range, with: elements)
        BSONWriter.patchLength(of: &storage)
    }

    /// Lets `write` add the bytes of whole elements at the end, and corrects the length.
    mutating func appendElements(_ write: (inout [UInt8]) -> Void) {
        storage.removeLast()
        write(&storage)
        storage.append(0)
        BSONWriter.patchLength(of: &storage)
    }
}
