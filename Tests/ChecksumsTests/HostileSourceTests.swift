import Checksums
import Testing

@Suite("No source is refused:", .timeLimit(.minutes(2)))
struct HostileSourceTests {
    /// A bit of everything that may be cut off in the middle.
    static let nasty = """
        #!/usr/bin/swift\r
        let a = "x \\(f("y \\(z /* \\" */) "), (1, 2)) \\u{1F600}" // "
        let b = \"\"\"
            one \\(#"two \\#("three") \\( "#) \\
              \\(\"\"\"
               inner \\(b)
              \"\"\")
            \"\"\"; /* /* " */ ' */
        let c = ##"a"# \\##(x) "##, d = #\"""#, e = #\"\"\"
          "\"\"" \\#(f) \"\"\"
          \"\"\"#
        let f = #/a "\\/# b/#, g = /x[/]"\\/y/, h = a / b /c, `i j` = \\A.b!.c?
        let k = ##/
          " # comment
        /##
        @é(` func ≤(l: Int...) -> [A<B<C>>?] { -l !m &n ..<o ?.p } #if x #else '" \\
        """

    @Test("every prefix and every suffix of a nasty file")
    func cutOff() {
        let bytes = Array(Self.nasty.utf8)
        for index in 0...bytes.count {
            #expect(tokens(Array(bytes[..<index])).isEmpty == (index == 0))
            _ = tokens(Array(bytes[index...]))
        }
    }

    @Test("random bytes, and random pieces of Swift")
    func random() {
        var generator = SplitMix64(state: 20_250_704)
        let pieces = [
            "\"", "\"\"\"", "#", "##", "\\(", "\\#(", "(", ")", "/", "/*", "*/", "//", "\n", "\r\n", " ", "a", "!", "?",
            ",", "`", "\\", "[", "]", "-", ".", "'", "#/", "/#", "é", "\t",
        ].map { Array($0.utf8) }
        for _ in 0..<2_000 {
            let count = Int.random(in: 0..<200, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(SwiftSource(bytes).tokens.count <= 2 * count)
            let text = (0..<count).flatMap { _ in pieces.randomElement(using: &generator) ?? [] }
            #expect(SwiftSource(text).tokens.count <= 2 * text.count)
        }
    }

    @Test(
        "the same twenty thousand times, which takes no more than proportionally long",
        arguments: [
            "\"", "'", "`", "#", "\\", "/", " /a", " /(", " /)", " /\\", "(", ")", ",", "\"\\(", "/*", "/**/", "#\"",
            "#\"\"\"", "#/", " #/a", "#\"\"\"\\#(", "\"\"\"\n\\(", "\"\"\"\n \\(\"\"\"\n  \"\"\"\n", "\r", "\r\n",
            "#\"\\#(", "`a` ", "!", "-", ".", "\0", "\u{FEFF}", "/ ", "\"\"\"\n  a\n ",
        ])
    func repeated(piece: String) {
        let bytes = Array(String(repeating: piece, count: 20_000).utf8)
        let nested = bytes + Array(String(repeating: "\n    \"\"\")", count: 10_000).utf8)
        #expect(SwiftSource(bytes).tokens.count <= 2 * bytes.count)
        #expect(SwiftSource(nested).tokens.count <= 2 * nested.count)
    }

    @Test("what doesn't end is kept as it is")
    func unterminated() {
        #expect(tokens("a + /* b  c") == "a + /* b  c")
        #expect(tokens("a + \"b  c") == "a + \"b  c")
        #expect(tokens("a + \"b  c\nd+e") == "a + \"b  c d + e")
        #expect(tokens("a + \"\"\"\n b  c") == "a + \"\"\"\n b  c")
        #expect(tokens("a + #/b  c") == "a + #/b  c")
        #expect(tokens("a + `b").hasSuffix("` b"))
        #expect(tokens("") == "")
        #expect(SwiftSource([0xFF, 0x20, 0x20, 0xC3]).tokens == [0xFF, 0x20, 0xC3])
    }
}
