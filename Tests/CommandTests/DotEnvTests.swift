import Testing

@testable import chat_admin

@Suite("The application's .env file")
struct DotEnvTests {
    static let files: [(String, [String: String])] = [
        ("", [:]),
        ("A=1\nB = two words \n\n# C=3\n", ["A": "1", "B": "two words"]),
        ("A=1\r\nB=2\r\n", ["A": "1", "B": "2"]),
        ("\u{FEFF}export A=1", ["A": "1"]),
        ("A=1 # a remark\nB=p#ss", ["A": "1", "B": "p#ss"]),
        (#"A='single # quoted'"#, ["A": "single # quoted"]),
        (#"A="a \"quote\" and \\n""#, ["A": #"a "quote" and \n"#]),
        (#"A="tab\tline\n.""#, ["A": "tab\tline\n."]),
        ("A=\"two\nB=lines\"\nC=3", ["A": "two\nB=lines", "C": "3"]),
        ("A=\"never closed\nB=2", ["B": "2"]),
        ("A=first\nA=last\n=nothing\nnothing", ["A": "last"]),
        ("A=", ["A": ""]),
        ("export\tA=1\nexport  B = 2\nexported=3", ["A": "1", "B": "2", "exported": "3"]),
        ("'A'='1'\n'B' = 2", ["A": "1", "B": "2"]),
        ("A\t=\t1\t\nA B=2\nC", ["A": "1"]),
        (#"A='it\'s' # a remark"#, ["A": "it's"]),
        (#"A='p\\w\n'"#, ["A": #"p\w\n"#]),
        (#"A="x"y"# + "\nB=2", ["B": "2"]),
        (#"A="\q\$""#, ["A": #"\q\$"#]),
        ("A=#1\nB= #2\nC=1\t# 3\rD=4", ["A": "#1", "B": "", "C": "1", "D": "4"]),
    ]

    @Test("is read as python-dotenv reads it", arguments: files)
    func reads(text: String, variables: [String: String]) { #expect(DotEnv(text).variables == variables) }
}
