internal import BSON

/// What would help somebody, as a value. Whoever speaks to people puts it into words: how a program is called, and what its
/// options are, is the program's own affair.
public protocol Advice: Sendable {
    /// A clause that names no program and no option, such as "declare step 5 reverted".
    var words: String { get }
}

/// Text for people, with the advice in it still to be put into words.
///
/// ```swift
/// let sentence: Sentence = "There is no step 7; \(EngineAdvice.listSteps)."
/// sentence.text { advice in "`migrate status` lists the steps" }
/// ```
public struct Sentence: Sendable, CustomStringConvertible, ExpressibleByStringInterpolation {
    private enum Part: Sendable {
        case text(String)
        case advice(any Advice)
    }

    private var parts: [Part]

    private init(parts: [Part]) { self.parts = parts }

    /// Text without advice.
    public init(_ text: String) { parts = [.text(text)] }

    /// Text without advice.
    public init(stringLiteral value: String) { self.init(value) }

    /// Text with advice between.
    public init(stringInterpolation: StringInterpolation) { parts = stringInterpolation.sentence.parts }

    /// What an error says.
    public init(of error: any Error) {
        self = (error as? any AdvisingError)?.sentence ?? Sentence(String(describing: error))
    }

    /// The text, with the advice in somebody's words. A clause that begins a sentence gets a capital letter.
    public func text(_ words: (any Advice) -> String) -> String {
        parts.reduce(into: "") { text, part in
            switch part {
            case .text(let more): text += more
            case .advice(let advice):
                let clause = words(advice)
                let isFirst = text.isEmpty || text.hasSuffix(". ") || text.hasSuffix("\n")
                text += isFirst ? clause.prefix(1).uppercased() + clause.dropFirst() : clause
            }
        }
    }

    /// The text in words that name no program.
    public var description: String { text(\.words) }

    /// The same without the full stop.
    var open: Sentence {
        guard case .text(let text)? = parts.last, text.hasSuffix(".") else { return self }
        var open = self
        open.parts[parts.count - 1] = .text(String(text.dropLast()))
        return open
    }

    /// The same, or its beginning where it is too long; that has no advice any more.
    func excerpt(maximumCharacters: Int) -> Sentence {
        let text = description
        let excerpt = text.excerpt(maximumCharacters: maximumCharacters)
        return excerpt == text ? self : Sentence(excerpt)
    }

    /// Puts two pieces of text together.
    public static func + (first: Sentence, second: Sentence) -> Sentence {
        var sum = first
        sum.parts += second.parts
        return sum
    }

    /// Builds a sentence from a literal.
    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var sentence = Sentence(parts: [])

        /// Nothing yet.
        public init(literalCapacity: Int, interpolationCount: Int) {}

        /// Adds text.
        public mutating func appendLiteral(_ literal: String) {
            // Between two values, and behind the last one, stands an empty one.
            if !literal.isEmpty { sentence.parts.append(.text(literal)) }
        }

        /// Adds a value's description.
        public mutating func appendInterpolation(_ value: some CustomStringConvertible) {
            sentence.parts.append(.text("\(value)"))
        }

        /// Adds advice.
        public mutating func appendInterpolation(_ advice: some Advice) { sentence.parts.append(.advice(advice)) }

        /// Adds a sentence, with its advice.
        public mutating func appendInterpolation(_ other: Sentence) { sentence.parts += other.parts }

        /// Adds what an error says, with its advice.
        public mutating func appendInterpolation(_ error: any Error) { sentence.parts += Sentence(of: error).parts }
    }
}

extension Sentence: Hashable {
    /// Two are equal that read the same.
    public static func == (first: Sentence, second: Sentence) -> Bool { first.description == second.description }

    /// Hashes what it reads.
    public func hash(into hasher: inout Hasher) { hasher.combine(description) }
}

/// An error whose words hold advice.
public protocol AdvisingError: Error, CustomStringConvertible {
    /// What happened, and what to do.
    var sentence: Sentence { get }
}

extension AdvisingError {
    /// The same in words that name no program.
    public var description: String { sentence.description }
}
