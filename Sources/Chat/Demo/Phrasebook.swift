/// Makes up what is said in demo chats, as bytes of UTF-8: a few hundred sentences in thirteen languages, code, and emoji.
struct Phrasebook: Sendable {
    static let shared = Phrasebook()

    private let phrases: [Phrases] = [
        .english, .german, .french, .spanish, .portuguese, .russian, .japanese, .chinese, .korean, .hindi, .arabic,
        .hebrew, .thai,
    ]
    private let emoji: [[UInt8]] = [
        " 🙂", " 👍", " 🎉", " 🤔", " 🙏🏽", " 👩‍💻", " 🇵🇪", " ❤️", " ☕️", " 🏳️‍🌈", " 😅", " 🚀",
    ].map { Array($0.utf8) }
    private let oddities: [[UInt8]] = [
        "", " é e\u{301}", " שלום 12 abc", " مرحبا (1) abc", " 👨‍👩‍👧‍👦", " Z̸̨a̵l̶g̷o̴", " ǅ ﬁ ß ẞ İ ı", " 𝒜𝓃𝒹 𝕥𝕙𝕚𝕤", " \u{FEFF}",
        " \u{1F1E9}\u{1F1EA}",
        " ความ", " নমস্কার", " 𠜎𠜱", " a\u{200B}b", " \"'`<b>$x</b>${y}%s\\", "\t|\n", " ½ ２ ②", " ﷽",
    ].map { Array($0.utf8) }
    private let code: [[UInt8]] = [
        "```python\ndef total(rows):\n    return sum(row[\"price\"] * row[\"count\"] for row in rows)\n```",
        "```swift\nlet names = people.filter { $0.age >= 18 }.map(\\.name).sorted()\nprint(names.joined(separator: \", \"))\n```",
        "```sql\nSELECT city, COUNT(*) AS visits\nFROM trips\nWHERE year = 2025\nGROUP BY city\nORDER BY visits DESC;\n```",
        "```bash\nfor file in *.csv; do\n  head -n 1 \"$file\"\ndone\n```",
        "```javascript\nconst seen = new Set();\nreturn items.filter((item) => !seen.has(item.id) && seen.add(item.id));\n```",
        "```json\n{\"name\": \"demo\", \"retries\": 3, \"hosts\": [\"a.example.com\", \"b.example.com\"]}\n```",
        "```rust\nlet sum: u64 = numbers.iter().copied().filter(|n| n % 2 == 0).sum();\nprintln!(\"{sum}\");\n```",
        "```html\n<p class=\"note\">5 &lt; 7 &amp; 7 &gt; 5</p>\n```",
        "```yaml\nschedule: \"0 6 * * 1\"\nsteps:\n  - name: build\n    run: make all\n```",
        "```c\nfor (size_t i = 0; i < count; i++) {\n\tif (values[i] > largest) largest = values[i];\n}\n```",
    ].map { Array($0.utf8) }

    /// One message in a language.
    func text(_ role: SeedRole, _ language: DemoLanguage, _ random: inout DemoRandom) -> String {
        var bytes: [UInt8] = []
        append(role, language, &random, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A short text, such as a title.
    func title(_ language: DemoLanguage, _ random: inout DemoRandom) -> [UInt8] {
        let topics = phrases[language.rawValue].topics
        return topics[random.below(topics.count)]
    }

    /// Appends one message: a few sentences, sometimes code, an emoji, very much, or nothing at all.
    func append(
        _ role: SeedRole, _ language: DemoLanguage, _ random: inout DemoRandom, to bytes: inout [UInt8]
    ) {
        let kind = random.below(1_000)
        if kind < 4 { return }
        let isAnswer = role == .assistant
        let few = isAnswer ? 2 + random.below(3) : 1 + random.below(2)
        // One in two hundred is a page or two.
        let count = kind < 9 ? few + 40 + random.below(60) : few
        for index in 0..<count {
            if index > 0 { bytes.append(index % 8 == 0 ? UInt8(ascii: "\n") : UInt8(ascii: " ")) }
            appendSentence(isAnswer, language, &random, to: &bytes)
        }
        if isAnswer, kind >= 900 {
            bytes.append(contentsOf: [UInt8(ascii: "\n"), UInt8(ascii: "\n")])
            bytes.append(contentsOf: code[random.below(code.count)])
        } else if kind >= 850 {
            bytes.append(contentsOf: emoji[random.below(emoji.count)])
        }
    }

    private func appendSentence(
        _ isAnswer: Bool, _ language: DemoLanguage, _ random: inout DemoRandom, to bytes: inout [UInt8]
    ) {
        let phrases = phrases[language.rawValue]
        let patterns = isAnswer ? phrases.answers : phrases.questions
        for piece in patterns[random.below(patterns.count)].pieces {
            switch piece {
            case .text(let text): bytes.append(contentsOf: text)
            case .topic: bytes.append(contentsOf: phrases.topics[random.below(phrases.topics.count)])
            case .number: Self.append(2 + random.below(88), to: &bytes)
            }
        }
    }

    private static func append(_ number: Int, to bytes: inout [UInt8]) {
        if number >= 10 { bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / 10)) }
        bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10))
    }

    /// Appends a message of a hundred thousand bytes, more or less.
    func appendLong(_ role: SeedRole, _ language: DemoLanguage, _ random: inout DemoRandom, to bytes: inout [UInt8]) {
        let end = bytes.count + 20_000 + random.below(80_000)
        while bytes.count < end {
            appendSentence(role == .assistant, language, &random, to: &bytes)
            bytes.append(random.happens(200) ? UInt8(ascii: "\n") : UInt8(ascii: " "))
        }
    }

    /// What an artifact holds.
    func artifact(_ language: DemoLanguage, _ random: inout DemoRandom) -> [UInt8] {
        if random.happens(500) { return code[random.below(code.count)] }
        var bytes: [UInt8] = []
        for index in 0..<(3 + random.below(12)) {
            if index > 0 { bytes.append(UInt8(ascii: "\n")) }
            appendSentence(true, language, &random, to: &bytes)
        }
        return bytes
    }

    /// Something that is hard to show: combining characters, another direction, signs of several characters.
    func oddity(_ random: inout DemoRandom) -> [UInt8] { oddities[random.below(oddities.count)] }
}
