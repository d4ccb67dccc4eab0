import Checksums
import Testing

@Suite("A change is noticed:")
struct ChangeTests {
    @Test(
        "of a name, a number, an operator, a keyword",
        arguments: [
            ("let a = b", "let a = c"),
            ("let a = b", "var a = b"),
            ("let a", "leta"),
            ("f(1, 2)", "f(12)"),
            ("f(1, 2)", "f(1, 3)"),
            ("0x1F", "0x1E"),
            ("a < b", "a > b"),
            ("a && b", "a || b"),
            ("a == b", "a != b"),
            ("f(a, b)", "f(b, a)"),
            ("`a b`", "`a  b`"),
            ("#if A", "#if B"),
            ("@A let a", "@B let a"),
            ("a; b", "a b"),
            ("[a,, b]", "[a, b]"),
            ("(a, b)", "(a b)"),
        ])
    func token(first: String, second: String) {
        #expect(tokens(first) != tokens(second))
    }

    @Test(
        "of white space that Swift minds",
        arguments: [
            ("a - -b", "a--b"),
            ("a - b", "a -b"),
            ("a - b", "a- b"),
            ("a -b", "a- b"),
            ("a\n-b", "a\n- b"),
            ("a != b", "a! = b"),
            ("a ? .b : c", "a?.b : c"),
            ("a ?? b", "a? ? b"),
            ("a\n(b)", "a(b)"),
            ("a\n[b]", "a [b]"),
            ("a /* \n */ (b)", "a /* */ (b)"),
            ("a & &b", "a && b"),
            ("1...", "1 ..."),
        ])
    func meaningfulWhiteSpace(first: String, second: String) {
        #expect(tokens(first) != tokens(second))
    }

    @Test(
        "inside of a string literal",
        arguments: [
            (#""a b""#, #""a  b""#),
            (#""a""#, #""a ""#),
            (#""a // b""#, #""a // c""#),
            (#""a /* b */""#, #""a ""#),
            (#""\"  ""#, #""\" ""#),
            (##"#"a"  b"#"##, ##"#"a" b"#"##),
            (##"#"\"#  + a"##, ##"#" \"#  + a"##),
            (##"#"\(a  b)"#"##, ##"#"\(a b)"#"##),
            ("#\"\"\"#", "#\" \"\"#"),
            ("\"\"\"\n a\n\"\"\"", "\"\"\"\n  a\n\"\"\""),
            ("\"\"\"\n a\n\n b\n\"\"\"", "\"\"\"\n a\n b\n\"\"\""),
            ("\"\"\"\n  a\n \"\"\"", "\"\"\"\n  a\n  \"\"\""),
            ("\"\"\"\na \n\"\"\"", "\"\"\"\na\n\"\"\""),
            ("\"\"\"\n\"a\"  \"\"\n\"\"\"", "\"\"\"\n\"a\" \"\"\n\"\"\""),
        ])
    func literal(first: String, second: String) {
        #expect(tokens(first) != tokens(second))
    }

    @Test(
        "inside of an interpolation, whose layout isn't",
        arguments: [
            (#""\(a)""#, #""\( a )""#, #""\(b)""#),
            (#""\(a+b)  c""#, #""\(a + b)  c""#, #""\(a+b) c""#),
            (#""\(f("x  y",(1)))""#, #""\(f( "x  y", (1) ))""#, #""\(f("x y",(1)))""#),
            (##"#"\#(a+"\(b)")"#"##, ##"#"\#(a + "\( b )")"#"##, ##"#"\#(a+"\(c)")"#"##),
            ("\"\"\"\n\\(f(\")\"))  a\n\"\"\"", "\"\"\"\n\\(f(\n \")\"))  a\n\"\"\"", "\"\"\"\n\\(f(\")\")) a\n\"\"\""),
        ])
    func interpolation(source: String, reformatted: String, changed: String) {
        #expect(tokens(source) == tokens(reformatted))
        #expect(tokens(source) != tokens(changed))
    }

    @Test(
        "inside of a regular expression literal, and not that the literal is followed by other code",
        arguments: [
            ("let r = /a  b/; x+y", "let r = /a  b/;x + y", "let r = /a b/; x+y"),
            ("f(/a \\/ \"/, x+y)", "f( /a \\/ \"/, x + y )", "f(/a  \\/ \"/, x+y)"),
            ("#/a  / \"/#.x+y", "#/a  / \"/# .x + y", "#/a / \"/#.x+y"),
            ("##/a  /# \"/## .x+y", "##/a  /# \"/##.x + y", "##/a /# \"/##.x+y"),
            ("#/\n  a  # \"\n/#\nx+y", "#/\n  a  # \"\n/# x + y", "#/\n a  # \"\n/#\nx+y"),
        ])
    func regex(source: String, reformatted: String, changed: String) {
        #expect(tokens(source) == tokens(reformatted))
        #expect(tokens(source) != tokens(changed))
    }

    @Test(
        "and division isn't taken for a regular expression",
        arguments: [
            ("a/b  /c", "a/b /c"), ("a / b  / c", "a/b/c"), ("(a + b)/c  / d", "(a + b)/c / d"),
            ("x / y // z  \"", "x / y"), ("f(/, /)", "f( / , / )"),
        ])
    func division(first: String, second: String) {
        #expect(tokens(first) == tokens(second))
    }

    @Test("in every byte of a source without comments and white space")
    func everyByte() {
        let source = Array(
            "struct A:B{let a=[1,\"x \\(y+\"z\")\",#\"\\\"#,#/r/#];func f(_ c:Int?=nil)->D{a.b(c!,d)??e}}".utf8)
        let original = tokens(source)
        for index in source.indices {
            var changed = source
            changed[index] = changed[index] == UInt8(ascii: "q") ? UInt8(ascii: "k") : UInt8(ascii: "q")
            #expect(tokens(changed) != original, "byte \(index)")
        }
    }
}
