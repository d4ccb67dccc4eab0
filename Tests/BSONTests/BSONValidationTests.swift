import BSON
import Testing

@Suite("Validation")
struct BSONValidationTests {
    /// Bytes that are no document, with the code and the offset of the error.
    static let broken: [(bytes: [UInt8], kind: BSONError.Kind, offset: Int)] = [
        ([], .truncated, 0),
        (hex("05000000"), .truncated, 4),
        (hex("04000000 00"), .invalidLength, 0),
        (hex("00000000 00"), .invalidLength, 0),
        (hex("ffffffff 00"), .invalidLength, 0),
        (hex("00000080 00"), .invalidLength, 0),
        (hex("ffffff7f 00"), .truncated, 0),
        (hex("06000000 00"), .truncated, 0),
        (hex("05000000 01"), .invalidTerminator, 4),
        (hex("05000000 00 00"), .trailingBytes, 5),
        (hex("06000000 00 00"), .invalidTerminator, 4),
        // Type bytes.
        (documentBytes(hex("14 6100 00000000")), .unknownType, 4),
        (documentBytes(hex("80 6100")), .unknownType, 4),
        (documentBytes(hex("0a 6100 fe 6200")), .unknownType, 7),
        // A key without an end, and no room for a value.
        (documentBytes(hex("0a 6161")), .invalidTerminator, 5),
        (documentBytes(hex("0a")), .invalidTerminator, 5),
        (documentBytes(hex("10 6100 000000")), .truncated, 7),
        (documentBytes(hex("01 6100 00000000000000")), .truncated, 7),
        (documentBytes(hex("07 6100 0000000000000000000000")), .truncated, 7),
        (documentBytes(hex("13 6100 000000000000000000000000000000")), .truncated, 7),
        (documentBytes(hex("08 6100")), .truncated, 7),
        (documentBytes(hex("08 6100 02")), .invalidBool, 7),
        (documentBytes(hex("08 6100 ff")), .invalidBool, 7),
        // Strings.
        (documentBytes(hex("02 6100 00000000 00")), .invalidLength, 7),
        (documentBytes(hex("02 6100 ffffffff 00")), .invalidLength, 7),
        (documentBytes(hex("02 6100 ffffff7f 00")), .truncated, 11),
        (documentBytes(hex("02 6100 03000000 6100")), .truncated, 11),
        (documentBytes(hex("02 6100 02000000 6161")), .invalidTerminator, 12),
        (documentBytes(hex("0d 6100 02000000 6161")), .invalidTerminator, 12),
        (documentBytes(hex("0e 6100 00000000")), .invalidLength, 7),
        // Binary data.
        (documentBytes(hex("05 6100 ffffffff 00")), .invalidLength, 7),
        (documentBytes(hex("05 6100 00000000")), .truncated, 11),
        (documentBytes(hex("05 6100 02000000 00 01")), .truncated, 12),
        (documentBytes(hex("05 6100 03000000 02 010203")), .invalidLength, 12),
        (documentBytes(hex("05 6100 05000000 02 02000000 01")), .invalidLength, 12),
        (documentBytes(hex("05 6100 05000000 02 00000000 01")), .invalidLength, 12),
        (documentBytes(hex("05 6100 05000000 02 ffffffff 01")), .invalidLength, 12),
        // Regular expressions and pointers.
        (documentBytes(hex("0b 6100 6161")), .invalidTerminator, 7),
        (documentBytes(hex("0b 6100 6100 61")), .invalidTerminator, 9),
        (documentBytes(hex("0c 6100 01000000 00 0000000000000000000000")), .truncated, 12),
        // Nested documents.
        (documentBytes(hex("03 6100 04000000 00")), .invalidLength, 7),
        (documentBytes(hex("03 6100 06000000 00")), .truncated, 7),
        (documentBytes(hex("03 6100 05000000 01")), .invalidTerminator, 11),
        (documentBytes(hex("04 6100 ffffffff 00")), .invalidLength, 7),
        (documentBytes(hex("03 6100 0d000000 10 6200 00000000 00 00")), .invalidTerminator, 18),
        // Code with scope.
        (documentBytes(hex("0f 6100 0d000000 01000000 00 05000000 00")), .invalidLength, 7),
        (documentBytes(hex("0f 6100 0f000000 01000000 00 05000000 00")), .truncated, 7),
        (documentBytes(hex("0f 6100 0f000000 01000000 00 05000000 00 00")), .invalidLength, 16),
        (documentBytes(hex("0f 6100 0e000000 00000000 00 05000000 00")), .invalidLength, 11),
        (documentBytes(hex("0f 6100 0e000000 0a000000 00 05000000 00")), .truncated, 15),
        (documentBytes(hex("0f 6100 0e000000 06000000 00 05000000 00")), .truncated, 21),
        (documentBytes(hex("0f 6100 0e000000 01000000 00 06000000 00")), .truncated, 16),
    ]

    @Test("refuses broken bytes with a code and an offset", arguments: broken.indices)
    func refuses(index: Int) {
        let (bytes, kind, offset) = Self.broken[index]
        let error = #expect(throws: BSONError.self) { try BSONDocument(validating: bytes) }
        #expect(error?.kind == kind)
        #expect(error?.offset == offset)
        #expect(error?.description.contains("at byte \(offset) (\(kind.rawValue))") == true)
    }

    @Test("accepts nesting up to the limit and refuses one more", arguments: [BSONType.document, .array])
    func depth(type: BSONType) throws {
        let deepest = try BSONDocument(validating: Samples.nested(depth: BSONDocument.maximumDepth, type: type))
        #expect(Audit(deepest).complaints.isEmpty)
        for depth in [BSONDocument.maximumDepth + 1, 10_000] {
            let bytes = Samples.nested(depth: depth, type: type)
            let error = #expect(throws: BSONError.self) { try BSONDocument(validating: bytes) }
            #expect(error?.kind == .tooDeep)
        }
    }

    @Test("counts scopes as nesting")
    func scopeDepth() {
        var value: BSONValue = nil
        for _ in 0..<BSONDocument.maximumDepth {
            value = .javascriptWithScope(BSONJavaScriptWithScope(code: "", scope: ["": value]))
        }
        let bytes = BSONDocument([("", value)]).bytes
        #expect(throws: BSONError.self) { try BSONDocument(validating: bytes) }
    }

    @Test("refuses a document of all types cut off anywhere")
    func truncation() {
        let bytes = Samples.everything.bytes
        for count in bytes.indices {
            let error = #expect(throws: BSONError.self) { try BSONDocument(validating: Array(bytes.prefix(count))) }
            #expect(error?.kind == .truncated)
            var adjusted = Array(bytes.prefix(count))
            guard count >= 4 else { continue }
            for position in 0..<4 {
                adjusted[position] = UInt8(truncatingIfNeeded: count >> (8 * position))
            }
            #expect(Self.readsOrThrows(adjusted))
        }
    }

    @Test("refuses or reads completely a document of all types with any one byte changed in any way")
    func singleByteChanges() {
        let original = Samples.oneOfEach.bytes
        var accepted = 0
        for position in original.indices {
            var bytes = original
            for mask in UInt8(1)...255 {
                bytes[position] = original[position] ^ mask
                guard let document = try? BSONDocument(validating: bytes) else { continue }
                accepted += 1
                let audit = Audit(document)
                if !audit.complaints.isEmpty {
                    Issue.record("Byte \(position) changed by \(mask): \(audit.complaints)")
                }
            }
        }
        #expect(accepted > original.count)
    }

    private static func readsOrThrows(_ bytes: [UInt8]) -> Bool {
        guard let document = try? BSONDocument(validating: bytes) else { return true }
        return Audit(document).complaints.isEmpty
    }
}
