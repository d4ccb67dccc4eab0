/// A command with many documents, which are written one behind another without making values of their fields.
///
/// ``removeAll()`` keeps its room, so that one buffer serves many commands: fresh memory of this size costs the system as
/// much time as writing it.
package struct BSONRows: Sendable {
    /// The command but for its last bytes, and for the lengths of itself and of the array.
    private var storage: [UInt8]
    /// Where each document lies.
    private var ranges: [Range<Int>] = []
    /// Where the array begins, that is, where the part ends that doesn't change.
    private let start: Int
    private var isClosed = false

    /// Begins a command.
    ///
    /// - Parameters:
    ///   - command: All of it but for the documents.
    ///   - key: The field of the documents.
    ///   - capacity: The bytes to make room for.
    package init(in command: BSONDocument, as key: String, capacity: Int = 0) {
        storage = []
        storage.reserveCapacity(command.byteCount + capacity)
        storage.append(contentsOf: command.bytes.dropLast())
        storage.append(BSONType.array.rawValue)
        storage.append(contentsOf: key.utf8)
        storage.append(0)
        start = storage.count
        storage.append(contentsOf: [0, 0, 0, 0])
    }

    /// Takes the documents away.
    package mutating func removeAll() {
        storage.removeLast(storage.count - start - 4)
        ranges.removeAll(keepingCapacity: true)
        isClosed = false
    }

    /// How many documents there are.
    package var count: Int { ranges.count }
    /// How many bytes they have.
    package var byteCount: Int { storage.count }

    /// Adds a document.
    ///
    /// - Parameter write: Writes its elements.
    package mutating func append(_ write: (inout BSONRowWriter) -> Void) {
        precondition(!isClosed, "the command is closed")
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

    /// Ends the command; the next document needs ``removeAll()``.
    package mutating func close() {
        guard !isClosed else { return }
        isClosed = true
        storage.append(0)
        BSONRowWriter.setLength(of: &storage, from: start)
        storage.append(0)
        BSONRowWriter.setLength(of: &storage, from: 0)
    }

    /// The command, which has to be closed.
    package var command: BSONDocument {
        precondition(isClosed, "the command is still being written")
        return BSONDocument(trusted: storage)
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
