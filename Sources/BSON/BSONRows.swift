/// Many documents, written one behind another into the array that a command carries, without making values of their fields.
package struct BSONRows: Sendable {
    /// The array as the document that stores it, without its last byte and its length.
    private var storage: [UInt8]
    /// Where each document lies.
    private var ranges: [Range<Int>] = []

    /// Makes room for so many bytes.
    package init(capacity: Int = 0) {
        storage = [0, 0, 0, 0]
        storage.reserveCapacity(capacity)
    }

    /// How many documents there are.
    package var count: Int { ranges.count }
    /// How many bytes they have.
    package var byteCount: Int { storage.count }

    /// Adds a document.
    ///
    /// - Parameter write: Writes its elements.
    package mutating func append(_ write: (inout BSONRowWriter) -> Void) {
        storage.append(BSONType.document.rawValue)
        storage.append(contentsOf: String(ranges.count).utf8)
        storage.append(0)
        let start = storage.count
        var writer = BSONRowWriter(bytes: storage)
        // Else the bytes would be copied as soon as the writer changes them.
        storage = []
        writer.begin()
        write(&writer)
        writer.end(from: start)
        storage = writer.bytes
        ranges.append(start..<storage.count)
    }

    /// Lends the bytes of each document.
    package func withEach(_ body: (UnsafeRawBufferPointer) -> Void) {
        storage.withUnsafeBytes { bytes in
            for range in ranges { body(UnsafeRawBufferPointer(rebasing: bytes[range])) }
        }
    }

    /// The documents, one by one.
    package var documents: [BSONDocument] { ranges.map { BSONDocument(trusted: Array(storage[$0])) } }

    /// A document with this array at its end.
    package func appended(to document: BSONDocument, as key: String) -> BSONDocument {
        var document = document
        document.appendElements { output in
            output.reserveCapacity(output.count + storage.count + key.utf8.count + 8)
            output.append(BSONType.array.rawValue)
            output.append(contentsOf: key.utf8)
            output.append(0)
            let start = output.count
            output.append(contentsOf: storage)
            output.append(0)
            BSONRowWriter.setLength(of: &output, from: start)
        }
        return document
    }
}

/// Writes the elements of one document (<https://bsonspec.org/spec.html>).
package struct BSONRowWriter {
    fileprivate var bytes: [UInt8]

    fileprivate mutating func begin() { bytes.append(contentsOf: [0, 0, 0, 0]) }

    fileprivate mutating func end(from start: Int) {
        bytes.append(0)
        Self.setLength(of: &bytes, from: start)
    }

    fileprivate static func setLength(of bytes: inout [UInt8], from start: Int) {
        let length = UInt32(truncatingIfNeeded: bytes.count - start)
        for position in 0..<4 { bytes[start + position] = UInt8(truncatingIfNeeded: length >> UInt32(8 * position)) }
    }

    private mutating func element(_ type: BSONType, _ key: StaticString) {
        bytes.append(type.rawValue)
        bytes.append(contentsOf: UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
        bytes.append(0)
    }

    private mutating func number(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func null(_ key: StaticString) { element(.null, key) }

    package mutating func bool(_ key: StaticString, _ value: Bool) {
        element(.bool, key)
        bytes.append(value ? 1 : 0)
    }

    package mutating func int32(_ key: StaticString, _ value: Int32) {
        element(.int32, key)
        number(value)
    }

    /// - Parameter milliseconds: Since 1970; nil writes null.
    package mutating func date(_ key: StaticString, _ milliseconds: Int64?) {
        guard let milliseconds else { return null(key) }
        element(.date, key)
        number(milliseconds)
    }

    package mutating func objectID(_ key: StaticString, _ id: ObjectID) {
        element(.objectID, key)
        id.appendBytes(to: &bytes)
    }

    package mutating func emptyDocument(_ key: StaticString) {
        element(.document, key)
        bytes.append(contentsOf: [5, 0, 0, 0, 0])
    }

    package mutating func string(_ key: StaticString, _ text: String) {
        self.text(key) { $0.append(contentsOf: text.utf8) }
    }

    /// Writes a text.
    ///
    /// - Parameter write: Appends its bytes, which are UTF-8.
    package mutating func text(_ key: StaticString, _ write: (inout [UInt8]) -> Void) {
        element(.string, key)
        let start = bytes.count
        bytes.append(contentsOf: [0, 0, 0, 0])
        write(&bytes)
        bytes.append(0)
        let length = UInt32(truncatingIfNeeded: bytes.count - start - 4)
        for position in 0..<4 { bytes[start + position] = UInt8(truncatingIfNeeded: length >> UInt32(8 * position)) }
    }

    /// Writes any value.
    package mutating func value(_ key: String, _ value: BSONValue) { BSONWriter.append(key, value, to: &bytes) }
}
