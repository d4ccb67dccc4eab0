internal import BSON

/// Makes up sessions, messages and artifacts by their numbers, each without the others.
struct DemoChats: Sendable {
    let recipe: DemoRecipe
    let now: Int64
    /// The users' `_id`s.
    let owners: [ObjectID]
    let layout: DemoLayout
    /// The first `_id` of each collection.
    let firstSession: ObjectID
    let firstMessage: ObjectID
    let firstArtifact: ObjectID
    /// What others have added to sessions, by the sessions' numbers.
    var additions: [Int: ChatPlan.Tally] = [:]
    private let seeds: (sessions: UInt64, messages: UInt64, artifacts: UInt64)

    /// - Parameters:
    ///   - owners: The users' `_id`s.
    ///   - now: What is taken for now, in milliseconds since 1970.
    init(_ recipe: DemoRecipe, owners: [ObjectID], now: Int64) throws {
        let name = recipe.name
        self.recipe = recipe
        self.now = now
        self.owners = owners
        layout = DemoLayout(recipe, seed: try SeedIdentity.seed("layout", name))
        firstSession = try SeedIdentity.first(ChatCollection.sessions, name)
        firstMessage = try SeedIdentity.first(ChatCollection.messages, name)
        firstArtifact = try SeedIdentity.first(ChatCollection.artifacts, name)
        seeds = (
            try SeedIdentity.seed("sessions", name), try SeedIdentity.seed("messages", name),
            try SeedIdentity.seed("artifacts", name)
        )
    }

    /// What is known of one session.
    struct Session: Sendable {
        let number: Int
        let id: ObjectID
        let owner: ObjectID
        let language: DemoLanguage
        /// How long before now it was begun, in milliseconds.
        let age: Int64
        let created: Int64
        /// The time in which its messages were sent, in milliseconds.
        let span: Int64
        /// Its messages, by their numbers.
        let messages: Range<Int>
        let isDeleted: Bool
        /// For what else is made up about it.
        var random: DemoRandom
    }

    private static let hour: Int64 = 3_600_000

    /// One session.
    func session(_ number: Int, _ block: DemoLayout.Block) -> Session {
        var random = DemoRandom(seed: seeds.sessions, number)
        let owner = owners[Self.rank(owners.count, &random)]
        // From an hour to almost two years ago, each doubling as often as any.
        let base = Self.hour << Int64(random.below(13))
        let age = base + Int64(random.below(Int(base)))
        let language: DemoLanguage = recipe.scenario == .unicode ? .other(&random) : .any(&random)
        let messages = block.messages(of: number)
        let pace = 20_000 + Int64(random.below(100_000))
        return Session(
            number: number, id: Self.id(firstSession, number), owner: owner, language: language, age: age,
            created: now - age, span: min(Int64(messages.count) * pace, age / 10 * 9), messages: messages,
            isDeleted: random.happens(recipe.scenario.deleted.sessions), random: random)
    }

    /// One of some ranks: the first is as likely as the next two, and as the four after those.
    private static func rank(_ count: Int, _ random: inout DemoRandom) -> Int {
        let level = random.below(Int.bitWidth - count.leadingZeroBitCount)
        return random.below(min(1 << (level + 1), count))
    }

    static func id(_ first: ObjectID, _ number: Int) -> ObjectID { first.advanced(by: number) ?? first }

    /// What is known of one message but for its text.
    struct Message: Sendable {
        let created: Int64
        let isDeleted: Bool
        let role: SeedRole
        var random: DemoRandom
    }

    /// One message.
    func message(_ number: Int, _ session: Session) -> Message {
        var random = DemoRandom(seed: seeds.messages, number)
        let (index, count) = (Int64(number - session.messages.lowerBound), Int64(session.messages.count))
        let begin = session.span * index / count
        let end = session.span * (index + 1) / count
        return Message(
            created: session.created + begin + Int64(random.below(max(Int(end - begin), 1))),
            isDeleted: random.happens(recipe.scenario.deleted.messages), role: index % 2 == 0 ? .user : .assistant,
            random: random)
    }

    /// What is known of an artifact but for its text: the session, and a generator.
    func artifact(_ number: Int) -> (session: Int, random: DemoRandom) {
        let session = number * recipe.sessions / recipe.artifacts
        return (session, DemoRandom(seed: seeds.artifacts, number))
    }
}
