/// An array of BSON values.
///
/// BSON stores an array as a document with the keys "0", "1" and so on (<https://bsonspec.org/spec.html>). Arrays
/// made here have exactly these keys. An array that was read may have others: they are ignored, but kept in
/// ``document``, so that writing the array gives the same bytes again. Equality and hash are those of the bytes.
public struct BSONArray: Sendable {
    /// The array as the document that stores it.
    public private(set) var document: BSONDocument

    /// The offsets of the elements within the document.
    private var offsets: [UInt32]

    /// Makes an empty array.
    public init() {
        document = BSONDocument()
        offsets = []
    }

    /// Makes an array of `values`, in order.
    public init(_ values: some Sequence<BSONValue>) {
        self.init()
        for value in values {
            append(value)
        }
    }

    /// Makes an array of the document that stores it; the keys do not matter.
    init(document: BSONDocument) {
        self.document = document
        offsets = document.elementOffsets
    }

    /// Adds a value at the end, with the number of values so far as its key.
    ///
    /// - Precondition: The array stays below 2 GiB.
    public mutating func append(_ value: BSONValue) {
        let offset = document.byteCount - 1
        document.append(String(offsets.count), value)
        offsets.append(UInt32(offset))
    }

    /// The values, in order; every one is decoded.
    public var values: [BSONValue] {
        Array(self)
    }

    /// The number of values.
    public var count: Int {
        offsets.count
    }

    /// Whether there are no values.
    public var isEmpty: Bool {
        offsets.isEmpty
    }

    /// Decodes the value at `position`, which must be at least 0 and below ``count``.
    func value(at position: Int) -> BSONValue {
        document.value(atOffset: Int(offsets[position]))
    }
}
