import Checksums
import Testing

@Suite("Layout isn't noticed:")
struct LayoutTests {
    @Test(
        "white space between tokens",
        arguments: [
            ("let a=1", "let  a\t=\n\n1"),
            ("f(a,b)", "f (\n    a,\n    b\n)"),
            ("a+b", "a + b"),
            ("a+b", "a\n    + b"),
            ("x.y.z()", "x\n    .y\n    .z()"),
            ("f(&a)", "f( &a )"),
            ("[-1,+2]", "[ -1, +2 ]"),
            ("let a:Int?=nil", "let a: Int? = nil"),
            ("func f<T>()->T{g}", "func f <T> () -> T { g }"),
            ("a ? .b : .c", "a\n    ? .b\n    : .c"),
            ("{(a,b)in[a,b]}", "{ (a, b) in\n    [a, b]\n}"),
            ("f{$0!}", "f {\n    $0!\n}"),
            ("for i in 0..<n{}", "for i in 0 ..< n { }"),
            ("@A func f(){}", "@A\nfunc f()\n{\n}\n"),
            ("return(a)", "return\n    (a)"),
        ])
    func whiteSpace(first: String, second: String) {
        #expect(tokens(first) == tokens(second))
    }

    @Test(
        "comments",
        arguments: [
            ("let a = 1", "let a = 1  // one"),
            ("let a = 1", "/// Doc.\nlet a /* /* nested */ \" */ = 1 /**/"),
            ("a + b", "a/* */+/* */b"),
            ("a + b", "a +// more\nb"),
            ("f(a)", "f(// first\n  a\n)"),
            ("\"\\(a)\"", "\"\\( a /* \") */ )\""),
            ("", "// nothing else"),
        ])
    func comments(first: String, second: String) {
        #expect(tokens(first) == tokens(second))
    }

    @Test(
        "commas before closing brackets",
        arguments: [
            ("[a, b]", "[\n    a,\n    b,\n]"),
            ("f(a)", "f(a, /* last */ )"),
            ("[a: [b]]", "[a: [b,],]"),
            ("\"\\(f(a))\"", "\"\\(f(a,),)\""),
        ])
    func trailingCommas(first: String, second: String) {
        #expect(tokens(first) == tokens(second))
    }

    @Test("CR LF for LF, outside and inside of literals, and a byte-order mark")
    func lineEnds() {
        let source = "let a = \"\"\"\n    x\n\n    y\\\n    z\n    \"\"\" // end\nlet b = #/\n  a\n/#\n"
        let windows = source.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
        #expect(windows.utf8.count > source.utf8.count)
        #expect(tokens(windows) == tokens(source))
        #expect(tokens([0xEF, 0xBB, 0xBF] + Array(source.utf8)) == tokens(source))
    }

    @Test("the indentation of a multi-line literal as a whole")
    func indentation() {
        let lines = ["\"\"\"", "one", "", "  two \\(f(\"a\")) \\", "\\(a +", "b)", "\"\"\""]
        let flat = "let a = " + lines.joined(separator: "\n")
        let deep = "let a =\n        " + lines.joined(separator: "\n        ")
        let tabbed = "let a = " + lines.joined(separator: "\n\t")
        #expect(tokens(deep) == tokens(flat))
        #expect(tokens(tabbed) == tokens(flat))
    }

    @Test("the indentation of multi-line literals inside of each other's interpolations")
    func nestedIndentation() {
        let flat = "\"\"\"\na \\(f(#\"\"\"\n b\n\"\"\"#)) c\n\"\"\""
        let deep = "\"\"\"\n  a \\(f(\n#\"\"\"\n        b\n       \"\"\"#\n)) c\n  \"\"\""
        #expect(tokens(deep) == tokens(flat))
    }

    @Test("and the tokens of a known source stay what they are, as ledgers hold their checksum")
    func pinned() throws {
        let source = """
            import BSON

            /// A step.
            struct Step: Sendable {
                let name = "v1  \\(Int.max - -1)"  // two spaces
                func run(_ a: [Int?]) -> Bool { a[0]! > -1 && !a.isEmpty }
            }
            """
        let expected =
            "import BSON struct Step : Sendable { let name = \"v1  \\(Int . max - -1)\" "
            + "func run ( _ a : [ Int? ] ) -> Bool { a [ 0 ]! > -1 && !a . isEmpty } }"
        #expect(tokens(source) == expected)
        let checksum = "3a9f45d6bb3984549e457722588b1294bb93dc076f3745ae525bbcfcf053e153"
        #expect(try SwiftSource(source.utf8).checksum() == checksum)
    }
}
