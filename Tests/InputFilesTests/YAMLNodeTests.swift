import Testing

@testable import InputFiles

@Suite("YAML with lines")
struct YAMLNodeTests {
    @Test("gives text, lists and maps with the lines they stand in")
    func reads() throws {
        let root = try YAMLNode(
            parsing: "a: 1\nb:\n  - x\n  - {c: 'null', d: ~}\ne: |\n  two\n  lines\n\"<<\": text\n")
        let members = try #require(root.members)
        #expect(members.map(\.key) == ["a", "b", "e", "<<"])
        #expect(members.map(\.line) == [1, 2, 5, 8])
        #expect(root["a"]?.text == "1")
        #expect(root["b"]?.items?.first?.text == "x")
        let map = try #require(root["b"]?.items?.last)
        #expect(map["c"]?.text == "null")
        #expect(map["d"]?.isNull == true)
        #expect(map.line == 4)
        #expect(root["e"]?.text == "two\nlines\n")
        #expect(root["z"] == nil && root["a"]?.members == nil)
        for empty in ["", "# a remark\n", "---\n"] { #expect(try YAMLNode(parsing: empty).isNull) }
    }

    @Test("takes aliases and merge keys for what they name, the map's own members first")
    func merges() throws {
        let root = try YAMLNode(
            parsing: """
                x-env: &env
                  HOST: mongo
                  PORT: &port 27017
                x-more: &more {PORT: 1, OTHER: x}
                one:
                  <<: *env
                  PORT: 27018
                two:
                  <<: [*env, *more]
                three: *env
                four: [*port, *port]
                """)
        #expect(root["one"]?["HOST"]?.text == "mongo")
        #expect(root["one"]?["PORT"]?.text == "27018")
        #expect(root["one"]?.members?.map(\.line) == [7, 2])
        #expect(root["two"]?["PORT"]?.text == "27017")
        #expect(root["two"]?["OTHER"]?.text == "x")
        #expect(root["two"]?.members?.count == 3)
        #expect(root["three"]?["HOST"]?.text == "mongo")
        #expect(root["four"]?.items?.compactMap(\.text) == ["27017", "27017"])
    }

    @Test("isn't made larger by aliases")
    func laughs() throws {
        // Each of nine lists holds the one before ten times: a billion strings, if they were copied.
        let text =
            "a0: &a0 lol\n"
            + (1...9).map { "a\($0): &a\($0) [\(Array(repeating: "*a\($0 - 1)", count: 10).joined(separator: ","))]\n" }
            .joined()
        let root = try YAMLNode(parsing: text)
        #expect(root["a9"]?.items?.count == 10)
    }

    /// Each names the one before.
    private static let chain = "a0: &a0 x\n" + (1...1000).map { "a\($0): &a\($0) [*a\($0 - 1)]\n" }.joined()

    /// A map of a thousand members, merged two hundred times.
    private static let copies =
        "m: &m\n" + (0..<1000).map { "  k\($0): x\n" }.joined() + (0..<200).map { "n\($0): {<<: *m}\n" }.joined()

    static let refused: [(String, String)] = [
        ("a: 1\na: 2\n", "line 2: `a` stands there twice"), ("a: *b", "line 1: the alias `b` names nothing"),
        ("a: &a [*a]", "line 1: the alias `a` names nothing"), ("a: 1\n---\nb: 2\n", "line 2: a second document"),
        ("a:\n  <<: text", "line 2: `<<` wants a map"), ("<<: [{a: 1}, b]", "line 1: `<<` wants a map"),
        ("? [a]\n: b", "line 1: a key has to be text"), ("~: b", "line 1: a key has to be text"), ("a: 'x\n", "line"),
        ("a: 1\n\tb: 2\n", "line 2"), ("a: @x", "line 1"), ("a: b: c", "line 1"),
        (String(repeating: "[", count: 100_000), "line 1: it is nested too deeply"),
        (chain, "it is nested too deeply"), (copies, "merge keys make too much of it"),
    ]

    @Test("is refused with the line where it goes wrong, without growing", arguments: refused)
    func refuses(text: String, words: String) {
        let error = #expect(throws: YAMLFailure.self) { try YAMLNode(parsing: text) }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
}
