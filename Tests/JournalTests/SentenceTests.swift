import Journal
import Testing

@Suite("A sentence with advice")
struct SentenceTests {
    private let sentence: Sentence = "There is no step \(7). \(EngineAdvice.listSteps); \(EngineAdvice.giveUp(7))."

    @Test("is put into words by whoever prints it")
    func words() {
        let text = sentence.text { advice in
            switch advice {
            case EngineAdvice.listSteps: "`tool list` shows them"
            case EngineAdvice.giveUp(let version): "`tool drop \(version)` gives it up"
            default: advice.words
            }
        }
        #expect(text == "There is no step 7. `tool list` shows them; `tool drop 7` gives it up.")
    }

    @Test("names no program by itself, and begins with a capital letter")
    func plainWords() {
        #expect(
            sentence.description
                == "There is no step 7. The status lists the steps; declaring it reverted gives the step up.")
    }

    @Test("keeps its advice within another one, and as an error's words")
    func nests() {
        let inner = EngineError.refused("no; \(EngineAdvice.again).")
        let error = EngineError.stepFailed(
            version: 3, name: "three", underlying: UnrecordedFailure(first: inner, second: inner))
        let text = error.sentence.text { _ in "AGAIN" }
        #expect(text.split(separator: "AGAIN").count == 4, "\(text)")
    }

    @Test("takes any other error's words as they are")
    func plainError() {
        struct Plain: Error, CustomStringConvertible { let description = "no luck" }
        #expect(Sentence(of: Plain()) == "no luck")
        #expect("\(EngineError.stepFailed(version: 1, name: "one", underlying: Plain()))".contains("failed: no luck."))
    }

    @Test("loses the full stop of what stands in it, and begins a line with a capital letter")
    func stops() {
        let inner = EngineError.refused("command 1 of \(1): \(EngineError.refused("not so."))")
        let failed = EngineError.stepFailed(version: 3, name: "three", underlying: inner)
        #expect(failed.description.hasPrefix("Step 3 (three) failed: command 1 of 1: not so. Its state"))
        let blocked = EngineError.blocked(version: 2, name: "two", reasons: ["no"], before: 1)
        #expect(blocked.description.hasSuffix("\n  - no\nThe steps before it can be applied, up to 1."))
    }

    @Test("says the same and hashes the same where it reads the same")
    func equality() {
        #expect(Sentence("a b") == "a \("b")")
        #expect(Set<Sentence>(["a b", "a \("b")"]).count == 1)
    }
}
