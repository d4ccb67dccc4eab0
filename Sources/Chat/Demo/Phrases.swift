/// What demo chats in one language are made of: sentences with places for a topic (`{t}`) and a number (`{n}`).
struct Phrases: Sendable {
    let topics: [[UInt8]]
    let questions: [Pattern]
    let answers: [Pattern]

    init(topics: [String], questions: [String], answers: [String]) {
        self.topics = topics.map { Array($0.utf8) }
        self.questions = questions.map(Pattern.init)
        self.answers = answers.map(Pattern.init)
    }

    /// A sentence, cut at its places.
    struct Pattern: Sendable {
        enum Piece: Sendable {
            case text([UInt8])
            case topic
            case number
        }

        let pieces: [Piece]

        init(_ sentence: String) {
            var pieces: [Piece] = []
            var rest = sentence[...]
            while let match = rest.firstMatch(of: /\{[tn]\}/) {
                pieces.append(.text(Array(rest[..<match.range.lowerBound].utf8)))
                pieces.append(match.output == "{t}" ? .topic : .number)
                rest = rest[match.range.upperBound...]
            }
            self.pieces = pieces + [.text(Array(rest.utf8))]
        }
    }
}

/// Languages of demo chats.
enum DemoLanguage: Int, CaseIterable, Sendable {
    case english, german, french, spanish, portuguese, russian, japanese, chinese, korean, hindi, arabic, hebrew, thai

    /// One language of many: English more often than all others together.
    static func any(_ random: inout DemoRandom) -> DemoLanguage {
        random.happens(600) ? .english : other(&random)
    }

    /// One language of all, each as often as any.
    static func other(_ random: inout DemoRandom) -> DemoLanguage {
        allCases[random.below(allCases.count)]
    }
}
