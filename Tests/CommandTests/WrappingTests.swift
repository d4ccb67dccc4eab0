import Testing

@testable import chat_admin

@Suite("Lines of a width")
struct WrappingTests {
    @Test("are broken between words, and a word that is too long within")
    func words() {
        #expect(Wrapped.lines("one two three", width: 8) == ["one two", "three"])
        #expect(Wrapped.lines("abcdefghij kl", width: 4) == ["abcd", "efgh", "ij", "kl"])
        #expect(Wrapped.lines("", width: 4) == [])
        #expect(Wrapped.line("fits", width: 4) == ["fits"])
    }

    @Test("never break an address, nor a command with one")
    func address() {
        let address = "mongodb://127.0.0.1:20001,127.0.0.1:20002/chat?replicaSet=sandbox"
        #expect(Wrapped.line("It is at \(address) now.", width: 40) == ["It is at", address, "now."])
        let command = "  export CHAT_ADMIN_URI='\(address)'"
        #expect(Wrapped.line(PlainText.tied(command), width: 40).map(PlainText.line) == [command])
    }

    @Test("go on behind the last gap between columns, or a little further in than they begin")
    func hanging() {
        let row = "  code  place  because it is so long that it doesn't fit into one line of forty-eight columns"
        #expect(
            Wrapped.line(row, width: 48) == [
                "  code  place  because it is so long that it", "               doesn't fit into one line of",
                "               forty-eight columns",
            ])
        #expect(
            Wrapped.line("  a sentence that goes on and on", width: 30) == ["  a sentence that goes on and", "    on"])
        #expect(Wrapped.line("a sentence that goes on and on", width: 20) == ["a sentence that goes", "on and on"])
        let short = "  code  " + String(repeating: "x", count: 30) + "  -> repair"
        #expect(Wrapped.line(short, width: 44) == [String(short.dropLast(11)), "      -> repair"])
    }

    @Test(
        "count what is written wide as two, and what emphasises as nothing",
        arguments: [("한글", 4), ("ab", 2), ("日本語x", 7), ("🚀🇩🇪✅", 6), ("e\u{301}", 1), ("\u{301}", 0)])
    func widths(text: String, width: Int) {
        #expect(TextWidth.of(text) == width)
        #expect(TextWidth.of(PlainText.emphasis("1") + text + PlainText.emphasis("0")) == width)
    }

    @Test("aren't broken within a command that is to be typed")
    func tied() {
        let line = "Run it again: " + PlainText.tied("`chat-admin runs undo latest`")
        #expect(
            Wrapped.line(line, width: 30).map(PlainText.line) == ["Run it again:", "`chat-admin runs undo latest`"])
        // Where the line is shorter than that, between its words all the same.
        let short = Wrapped.line(PlainText.tied("session_id: 6909dcb0d6aa2fce9e926431"), width: 26)
        #expect(short.map(PlainText.line) == ["session_id:", "6909dcb0d6aa2fce9e926431"])
    }
}
