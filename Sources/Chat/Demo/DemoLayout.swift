/// Which messages belong to which session: some sessions have very many, most have few.
///
/// Sessions lie in blocks of neighbours, so that a piece of the whole is known without the rest, however much that is.
struct DemoLayout: Sendable {
    private let sessions: Int
    private let messages: Int
    private let seed: UInt64
    /// How many sessions a block has.
    let blockSize: Int

    /// About so many messages make a block, but for one of a single session.
    private static let messagesOfBlock = 4_096
    private static let mostSessions = 1_000
    /// So many of a hundred sessions are empty.
    private static let emptyPermille = 20

    init(_ recipe: DemoRecipe, seed: UInt64) {
        (sessions, messages, self.seed) = (recipe.sessions, recipe.messages, seed)
        blockSize = min(max(sessions * Self.messagesOfBlock / max(messages, 1), 1), Self.mostSessions)
    }

    /// One block: its first session, and where the messages of each session begin, with the end of the last.
    struct Block: Sendable {
        let number: Int
        let first: Int
        let starts: [Int]

        var sessions: Range<Int> { first..<first + starts.count - 1 }
        var messages: Range<Int> { starts[0]..<starts[starts.count - 1] }

        /// The messages of a session of the block.
        func messages(of session: Int) -> Range<Int> { starts[session - first]..<starts[session - first + 1] }

        /// The session that a message of the block belongs to.
        func session(of message: Int) -> Int {
            // The last one that begins at it or before it.
            var (low, high) = (0, starts.count - 1)
            while high - low > 1 {
                let middle = (low + high) / 2
                if starts[middle] <= message { low = middle } else { high = middle }
            }
            return first + low
        }
    }

    /// The block that a session lies in.
    func block(ofSession session: Int) -> Block { block(session / blockSize) }

    /// The block that a message lies in.
    func block(ofMessage message: Int) -> Block {
        var number = message * sessions / messages / blockSize
        while start(number + 1) <= message { number += 1 }
        while start(number) > message { number -= 1 }
        return block(number)
    }

    private func start(_ block: Int) -> Int { messages * min(block * blockSize, sessions) / sessions }

    private func block(_ number: Int) -> Block {
        let first = number * blockSize
        let count = min(blockSize, sessions - first)
        let (begin, end) = (start(number), start(number + 1))
        var random = DemoRandom(seed: seed, number)
        // The n-th most active session has an n-th of the messages of the most active one.
        var weights = (0..<count).map { 1 / Double($0 + 1) }
        for index in weights.indices.dropFirst().reversed() { weights.swapAt(index, random.below(index + 1)) }
        if count > 1 {
            for index in weights.indices where random.happens(Self.emptyPermille) { weights[index] = 0 }
        }
        let total = weights.reduce(0, +)
        guard total > 0 else {
            return Block(
                number: number, first: first,
                starts: Array(repeating: begin, count: count) + [end])
        }
        var starts = [begin]
        var sum = 0.0
        for weight in weights.dropLast() {
            sum += weight
            starts.append(begin + Int(Double(end - begin) * (sum / total)))
        }
        return Block(number: number, first: first, starts: starts + [end])
    }
}
