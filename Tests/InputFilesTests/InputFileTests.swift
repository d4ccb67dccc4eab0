import Foundation
import Testing

@testable import InputFiles

@Suite("A file that a user names")
struct InputFileTests {
    /// Lends a folder that is removed afterwards.
    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/chat-admin-input-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    private func kind(_ path: String, limit: Int = 1000, patience: Duration = .milliseconds(300)) async
        -> InputFile.Failure.Kind?
    {
        do {
            _ = try await InputFile.readText(path, limit: limit, patience: patience)
            return nil
        } catch {
            return error.kind
        }
    }

    @Test("is refused with its reason, soon, where it can't be used")
    func refused() async throws {
        try await withFolder { folder in
            let sparse = folder + "/sparse"
            #expect(FileManager.default.createFile(atPath: sparse, contents: nil))
            #expect(truncate(sparse, 1 << 40) == 0)
            #expect(mkfifo(folder + "/fifo", 0o600) == 0)
            let start = ContinuousClock.now
            #expect(await kind(folder + "/none") == .missing)
            #expect(await kind(sparse) == .tooLarge)
            #expect(await kind("/dev/zero") == .tooLarge)
            #expect(await kind(folder) == .unreadable)
            #expect(await kind(folder + "/fifo") == .silent)
            #expect(await kind("/dev/fd/999999") == .unreadable)
            #expect(await kind("") == .missing)
            #expect(await kind("/dev/null") == nil)
            #expect(ContinuousClock.now - start < .seconds(10))
            #expect(throws: InputFile.Failure.self) { try InputFile.readOrdinary(folder + "/fifo", limit: 10) }
        }
    }

    @Test("is read to its limit, and not beyond")
    func limit() async throws {
        try await withFolder { folder in
            let path = folder + "/file"
            try Data(repeating: 65, count: 1000).write(to: URL(fileURLWithPath: path))
            #expect(try await InputFile.read(path, limit: 1000).count == 1000)
            #expect(await kind(path, limit: 999) == .tooLarge)
        }
    }

    @Test("may be a pipe whose writer comes late, and of which only the first line comes")
    func latePipe() async throws {
        try await withFolder { folder in
            let path = folder + "/fifo"
            #expect(mkfifo(path, 0o600) == 0)
            async let text = InputFile.readText(path, limit: 1000, extent: .firstLine, patience: .seconds(30))
            try await Task.sleep(for: .milliseconds(200))
            let writer = try #require(FileHandle(forWritingAtPath: path))
            try writer.write(contentsOf: Data("one\n".utf8))
            #expect(try await text == "one\n")
            try writer.close()
        }
    }

    static let texts: [([UInt8], String?)] = [
        (Array("ä\r\n".utf8), "ä\r\n"), ([0xEF, 0xBB, 0xBF, 0x61], "a"), ([], ""), ([0xFF, 0xFE, 0x61, 0], nil),
        ([0xFE, 0xFF, 0, 0x61], nil), ([0x61, 0, 0x62, 0], nil), ([0x0A, 0x0A, 0xE4, 0x0A], nil),
    ]

    @Test("is text in UTF-8, with a byte order mark or without", arguments: texts)
    func text(bytes: [UInt8], text: String?) {
        do {
            #expect(try InputFile.text(bytes) == text)
        } catch {
            #expect(text == nil && error.kind == .encoding, "\(error)")
            #expect(error.description.contains("UTF-16") || error.description.hasPrefix("line 3 "), "\(error)")
        }
    }
}

@Suite("Settings in YAML")
struct FlatYAMLTests {
    @Test("are names and text, with their lines")
    func entries() throws {
        let text = "# a remark\nuri: 'mongodb://a/?x=1&y=2'\n\nb : \"x\\ty\"\nc:\nd: ~\ne: '~'\n"
        let entries = try FlatYAML.entries(in: text)
        #expect(entries.map(\.key) == ["uri", "b", "c", "d", "e"])
        #expect(entries.map(\.value) == ["mongodb://a/?x=1&y=2", "x\ty", nil, nil, "~"])
        #expect(entries.map(\.line) == [2, 4, 5, 6, 7])
        for empty in ["", "# a remark\n", "---\n", "{}"] { #expect(try FlatYAML.entries(in: empty) == []) }
    }

    /// Each of nine lists holds the one before ten times: a billion strings.
    private static let laughs =
        "a0: &a0 lol\n"
        + (1...9).map { "a\($0): &a\($0) [\(Array(repeating: "*a\($0 - 1)", count: 10).joined(separator: ","))]\n" }
        .joined()

    static let refused: [(String, String)] = [
        ("a: 1\na: 2\n", "line 2: `a` stands there twice"), ("- a\n", "line 1"), ("text", "line 1"),
        ("a: [b]\n", "`a`"),
        ("a: {b: c}\n", "`a`"), ("? [a]\n: b\n", "line 1"), ("a: 1\nb: *a\n", "line 2"),
        ("a: 1\n---\nb: 2\n", "line 2"),
        ("a: 'x\n", "line"), ("a: 1\n\tb: 2\n", "line 2"), ("a: @x", "line 1"), (laughs, "line 2"),
        (String(repeating: "[", count: 100_000), "line 1"),
    ]

    @Test("are refused in any other shape, without growing", arguments: refused)
    func refuses(text: String, words: String) {
        let error = #expect(throws: FlatYAML.Failure.self) { try FlatYAML.entries(in: text) }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
}

@Suite("JSON with lines")
struct JSONNodeTests {
    @Test("gives values with the lines they stand in")
    func reads() throws {
        let node = try JSONNode(
            parsing: "{\n \"a\": [1, -2.5e+3, true, null],\n\"\\u00e4\\ud83d\\ude00\": \"x\\n\\/\"}")
        guard case .object(let members) = node.value else { throw JSONNode.Failure(line: 0, reason: "no object") }
        #expect(members.map(\.key) == ["a", "ä😀"])
        #expect(members.map(\.line) == [2, 3])
        guard case .text(let text) = members[1].node.value else { throw JSONNode.Failure(line: 0, reason: "no text") }
        #expect(text == "x\n/")
    }

    static let malformed: [(String, Int)] = [
        ("", 1), ("{", 1), ("[1,]", 1), ("{\n\"a\": 1,\n}", 3), ("{\"a\" 1}", 1), ("\n\"abc", 2), ("\"a\nb\"", 1),
        ("[01]", 1),
        ("[1.]", 1), ("[-]", 1), ("tru", 1), ("[1] [2]", 1), (#"["\x"]"#, 1), (#"["\ud800"]"#, 1), (#"["\u12"]"#, 1),
        ("{\"a\":1,\n\"a\":2}", 2), ("\"\u{1}\"", 1), ("{a: 1}", 1), ("['a']", 1),
        (String(repeating: "[", count: 1_000_000), 1),
    ]

    @Test("is refused with the line where it goes wrong", arguments: malformed)
    func refuses(text: String, line: Int) {
        let error = #expect(throws: JSONNode.Failure.self) { try JSONNode(parsing: text) }
        #expect(error?.line == line)
    }

    @Test(
        "a misspelt name leads to the nearest, or to none",
        arguments: [("url", "uri"), ("databse", "database"), ("Database", "database"), ("port", nil), ("", nil)])
    func nearest(name: String, meant: String?) {
        #expect(NearestName.of(name, among: ["uri", "database"]) == meant)
    }
}
