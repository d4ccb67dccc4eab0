import Checksums
import Testing

@Suite("A source's checksum")
struct SwiftSourceTests {
    @Test("is that of its bytes, as sha256sum prints it")
    func plain() throws {
        let digest = "d6447d6f631d17aaf8b0db0adf1470646e991a3af22c6f8f7f6041de42b6d213"
        #expect(try SwiftSource("let a = 1\n".utf8).checksum() == digest)
    }

    @Test(
        "doesn't change with line ends and a byte order mark",
        arguments: [
            ("let a = 1\nlet b = 2\n", "let a = 1\r\nlet b = 2\r\n"), ("let a = 1\n", "\u{FEFF}let a = 1\n"),
            ("a\n", "\u{FEFF}a\r\n"), ("", "\u{FEFF}"), ("\r\n", "\n"),
        ])
    func same(first: String, second: String) throws {
        #expect(try SwiftSource(first.utf8).checksum() == SwiftSource(second.utf8).checksum())
    }

    @Test(
        "changes with everything else",
        arguments: [
            ("let a = 1\n", "let a = 2\n"), ("let a = 1\n", "let  a = 1\n"), ("let a = 1\n", "let a = 1"),
            ("a // b\n", "a // c\n"), ("a\rb", "ab"), ("a\rb", "a\nb"), ("a\r\r\n", "a\r\n"), ("a", "a\u{FEFF}"),
        ])
    func other(first: String, second: String) throws {
        #expect(try SwiftSource(first.utf8).checksum() != SwiftSource(second.utf8).checksum())
    }
}
