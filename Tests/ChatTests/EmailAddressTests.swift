import Testing

@testable import Chat

@Suite("Email addresses")
struct EmailAddressTests {
    /// What Pydantic's EmailStr says of them, with email-validator 2.4 and idna 3.20.
    static let taken = [
        "a@example.com", "A.B+c@Example.co.uk", "a@b.c", "a@b.1c", "a@foo.example", "a@x.home", "a@localhost.com",
        "a!#$%&'*+-/=?^_`{|}~z@b.com", "postmaster@B.com", "a@a--b.com", "é@b.com", "ж.ж@b.com", "用户@例子.中国", "😀@b.com",
        "a@bücher.com", "a@straße.de", "a@почта.рф", "a@日本語.jp", "a@한국.kr", "a@ελλάς.gr",
        String(repeating: "a", count: 248) + "@b.com", "a@" + String(repeating: "b", count: 63) + ".com",
        "a@" + String(repeating: "ü", count: 50) + ".com", String(repeating: "é", count: 124) + "@b.com",
    ]

    /// The same for these, and a word of the reason.
    static let refused = [
        ("a@team.local", ".local"), ("a@team.LOCAL", ".local"), ("a@x.localhost", ".localhost"),
        ("a@foo.test", ".test"),
        ("a@foo.invalid", ".invalid"), ("a@b.onion", ".onion"), ("a@1.arpa", ".arpa"), ("a@local", "dot"),
        ("a@b", "dot"),
        ("a@b.c1", "top-level"), ("a@1.2.3.4", "top-level"), (".a@b.com", "dot"), ("a.@b.com", "dot"),
        ("a..b@b.com", "dot"), ("a@-b.com", "hyphen"), ("a@b-.com", "hyphen"), ("a@b..com", "dot"), ("a@b.com.", "dot"),
        ("a@b_c.com", "behind the @"), ("a b@c.com", "white space"), ("\"a\"@c.com", "quotes"),
        ("a@[127.0.0.1]", "brackets"),
        ("a@ab--c.com", "hyphens"), ("\u{301}e@b.com", "combining"), ("a@☃.com", "checked"), ("a@😀.com", "checked"),
        ("a\u{200B}b@c.com", "before the @"), ("a\u{37E}b@c.com", "before the @"), ("a＠b.com", "no @"),
        ("a@b@c.com", "behind the @"), ("a(b)@c.com", "before the @"), ("a,b@c.com", "before the @"),
        ("@b.com", "before"),
        ("a@", "behind"), ("a", "no @"), ("", "no @"), ("a@b.com\n", "white space"),
        (String(repeating: "a", count: 249) + "@b.com", "254"),
        ("a@" + String(repeating: "b", count: 64) + ".com", "63"),
        ("a@" + String(repeating: "ü", count: 58) + ".com", "63"),
        (String(repeating: "é", count: 125) + "@b.com", "254"),
        ("a@x.xn--p1ai", "xn--"),
    ]

    @Test("that the application's models take are taken", arguments: taken)
    func takes(address: String) { #expect(EmailAddress.objection(to: address) == nil) }

    @Test("that they refuse, or that can't be told, are refused with the reason", arguments: refused)
    func refuses(address: String, word: String) {
        let reason = EmailAddress.objection(to: address) ?? "taken"
        #expect(reason.contains(word), "\(address): \(reason)")
    }

    @Test("are right of the built-in users, and so is all else about them", arguments: SeedUser.defaults)
    func defaults(user: SeedUser) { #expect(user.objection == nil) }
}
