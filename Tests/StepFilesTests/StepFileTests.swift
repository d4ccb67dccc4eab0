import BSON
import Foundation
import Journal
import MongoDriver
import Testing

@testable import StepFiles

@Suite("A step's file")
struct StepFileTests {
    private func file(_ text: String) throws -> StepFile {
        try StepFile(path: "001_x.up.json", bytes: Array(text.utf8))
    }

    private func value(_ json: String) throws -> BSONValue? {
        try file(#"[{"insert": "x", "documents": [{"v": \#(json)}]}]"#).commands[0].document["documents"]?.array?.values
            .first?.document?["v"]
    }

    @Test(
        "is read as golang-migrate reads it",
        arguments: [
            (#"{"$type": ["string", "null"]}"#, BSONValue.document(["$type": ["string", "null"]])),
            (#"{"$type": "string", "$ne": 1}"#, .document(["$type": "string", "$ne": 1])),
            (#"{"$regex": "^a", "$ne": "b"}"#, .document(["$regex": "^a", "$ne": "b"])),
            (#"{"$regex": "^a", "$options": "i"}"#, .document(["$regex": "^a", "$options": "i"])),
            (#"{"x": 1, "$date": "y"}"#, .document(["x": 1, "$date": "y"])),
            (#"{"$date": "2026-11-22T12:59:31.050666Z"}"#, .date(1_795_352_371_050)),
            (#"{"$date": "2026-11-22T14:59:31+02:00"}"#, .date(1_795_352_371_000)),
            (#"{"$date": "2026-11-22T14:59:31.05+0200"}"#, .date(1_795_352_371_050)),
            (#"{"$date": "1969-12-31T23:59:59.999Z"}"#, .date(-1)),
            (#"{"$date": "0000-01-01T00:00:00Z"}"#, .date(-62_167_219_200_000)),
            (#"{"$date": "2024-02-29T00:00:00Z"}"#, .date(1_709_164_800_000)),
            (#"{"$date": {"$numberLong": "-5"}}"#, .date(-5)),
            (#"{"$numberInt": "7"}"#, .int32(7)), (#"{"$numberLong": "7"}"#, .int64(7)),
            ("2147483648", .int64(2_147_483_648)),
            ("1.5e1", .double(15)), (#"{"$numberDouble": "-Infinity"}"#, .double(-.infinity)),
            (#"{"$binary": {"subType": "04", "base64": "AQID"}}"#, .binary(BSONBinary(subtype: 4, bytes: [1, 2, 3]))),
            (#"{"$binary": "AQI=", "$type": "00"}"#, .binary(BSONBinary(subtype: 0, bytes: [1, 2]))),
            (
                #"{"$regularExpression": {"pattern": "a", "options": "xi"}}"#,
                .regularExpression(BSONRegularExpression(pattern: "a", options: "ix"))
            ),
            (#"{"$timestamp": {"t": 4294967295, "i": 1}}"#, .timestamp(BSONTimestamp(seconds: .max, increment: 1))),
            (
                #"{"$code": "f", "$scope": {"a": 1}}"#,
                .javascriptWithScope(BSONJavaScriptWithScope(code: "f", scope: ["a": 1]))
            ),
            (#"{"$code": "f"}"#, .javascript("f")), (#"{"$symbol": "s"}"#, .symbol("s")), (#"{"$minKey": 1}"#, .minKey),
            (#"{"$maxKey": 1}"#, .maxKey), (#"{"$undefined": true}"#, .undefined),
            (#""\ud83d\ude00\u00e4""#, .string("😀ä")),
            (#""\ud83d""#, .string("\u{FFFD}")), ("\"a\tb\"", .string("a\tb")),
            (
                #"{"$in": [{"$regex": "a"}]}"#,
                .document(["$in": [.regularExpression(BSONRegularExpression(pattern: "a"))]])
            ),
        ])
    func taken(json: String, expected: BSONValue) throws { #expect(try value(json) == expected) }

    @Test("holds all values that canonical Extended JSON can write")
    func canonical() throws {
        let document: BSONDocument = [
            "a": .decimal128(Decimal128(low: 5, high: 0x3040_0000_0000_0000)), "b": .objectID(.now()), "c": .null,
            "d": true,
            "e": .dbPointer(BSONDBPointer(namespace: "a.b", id: .now())), "f": [1, [2, .document(["": 3])]],
            "g": .binary(BSONBinary(subtype: 5, bytes: Array(0...255))), "h": .double(.nan), "i": .double(-0.0),
        ]
        let text = try ExtendedJSON.canonical(["insert": "x", "documents": [.document(document)]])
        #expect(try file("[\(text)]").commands[0].document["documents"]?.array?.values.first == .document(document))
    }

    @Test(
        "is refused with the place, and never with the value",
        arguments: [
            #"{"$oid": "hunter2"}"#, #"{"$date": "2026-02-30T00:00:00Z hunter2"}"#, #"{"$numberInt": "hunter2"}"#,
            #"{"$numberLong": "9hunter2"}"#, #"{"$numberDouble": "hunter2"}"#, #"{"$numberDecimal": "hunter2"}"#,
            #"{"$binary": {"base64": "hunter2", "subType": "00"}}"#, #"{"$uuid": "hunter2"}"#,
            #"{"$oid": "hunter2", "b": 1}"#,
            #"{"$code": 1, "b": "hunter2"}"#, #""hunter2\q""#, #""hunter2"#, "hunter2", "1hunter2", #"["hunter2",]"#,
            #"{"$regularExpression": {"pattern": "hunter2"}}"#, #"{"$timestamp": {"t": -1, "i": "hunter2"}}"#,
        ])
    func refused(json: String) throws {
        let error = try #require(throws: StepFileError.self) {
            try file("[\n{\"createUser\": \"u\", \"pwd\": \(json), \"roles\": []}]")
        }
        #expect(!error.description.contains("hunter2"), "\(error)")
        #expect(error.description.contains("001_x.up.json: line 2, column"), "\(error)")
        #expect(error.description.contains("0.pwd"), "\(error)")
    }

    @Test(
        "that names a day or an hour that there isn't is refused",
        arguments: [
            "2026-02-30T00:00:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00", "2026-01-01",
            "2026-01-01T00:00:00.Z",
        ])
    func noSuchDate(text: String) { #expect(DateText.milliseconds(text) == nil) }

    @Test("has the checksum of its commands: line ends, a byte order mark and white space don't count, a value does")
    func checksum() throws {
        let text = "[\n  {\"insert\": \"x\", \"documents\": [{\"v\": 1}]}\n]\n"
        let first = try file(text)
        for same in [text.replacing("\n", with: "\r\n"), "\u{FEFF}" + text, #"[{"insert":"x","documents":[{"v":1}]}]"#]
        {
            #expect(try file(same).checksum == first.checksum)
        }
        #expect(try file(text.replacing("1", with: "2")).checksum != first.checksum)
        #expect(try file(text.replacing("1", with: "1.0")).checksum != first.checksum)
        // Rows of earlier versions have the checksum of the bytes.
        let former = try file(text.replacing("\n", with: "\r\n")).formerChecksums
        #expect(former.isSuperset(of: try file(text).formerChecksums))
        #expect(try file(text.replacing("1", with: "2")).formerChecksums.isDisjoint(with: former))
    }

    @Test(
        "in UTF-16 is refused with a sentence", arguments: [String.Encoding.utf16, .utf16LittleEndian, .utf16BigEndian])
    func utf16(encoding: String.Encoding) throws {
        let bytes = Array(try #require("[{\"ping\": 1}]".data(using: encoding)))
        let error = try #require(throws: StepFileError.self) { try StepFile(path: "x", bytes: bytes) }
        #expect(error.description.contains("UTF-8"), "\(error)")
    }

    @Test(
        "may not write to another database, at whatever depth, and sends nothing that concerns the whole server",
        arguments: [
            #"{"aggregate": "a", "pipeline": [{"$out": {"db": "other", "coll": "b"}}], "cursor": {}}"#,
            #"{"aggregate": "a", "pipeline": [{"$merge": {"into": {"db": "other", "coll": "b"}}}], "cursor": {}}"#,
            #"{"aggregate": "a", "pipeline": [{"$unionWith": {"coll": "b", "pipeline": [{"$out": {"db": "other", "coll": "b"}}]}}], "cursor": {}}"#,
            #"{"create": "v", "viewOn": "a", "pipeline": [{"$facet": {"x": [{"$merge": {"into": {"db": "other", "coll": "b"}}}]}}]}"#,
            #"{"collMod": "v", "viewOn": "a", "pipeline": [{"$out": {"db": "other", "coll": "b"}}]}"#,
            #"{"explain": {"aggregate": "a", "pipeline": [{"$out": {"db": "other", "coll": "b"}}], "cursor": {}}}"#,
            #"{"mapReduce": "a", "map": "", "reduce": "", "out": {"replace": "b", "db": "other"}}"#,
            #"{"mapReduce": "a", "map": "", "reduce": "", "out": "chat_admin.runs"}"#,
            #"{"cloneCollectionAsCapped": "a", "toCollection": "chat_admin.runs", "size": 1000}"#, #"{"applyOps": []}"#,
            #"{"shutdown": 1}"#, #"{"fsync": 1}"#, #"{"setParameter": 1}"#, #"{"replSetStepDown": 1}"#,
            #"{"dropAllUsersFromDatabase": 1}"#, #"{"dropAllRolesFromDatabase": 1}"#, #"{"killAllSessions": []}"#,
            #"{"setFeatureCompatibilityVersion": "5.0"}"#, #"{"nosuch": 1}"#,
        ])
    func forbidden(json: String) throws {
        let command = try #require(try file("[\(json)]").commands.first)
        #expect(command.refusal(on: "mine") != nil)
    }

    @Test("may write to its own database by name")
    func own() throws {
        let json = #"{"aggregate": "a", "pipeline": [{"$out": {"db": "mine", "coll": "b"}}], "cursor": {}}"#
        #expect(try file("[\(json)]").commands.first?.refusal(on: "mine") == nil)
    }
}
