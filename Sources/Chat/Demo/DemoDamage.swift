internal import BSON

/// What the bug leaves of demo chats, where that is wanted: documents as they are stored instead of as they should be.
extension DemoChats {
    /// What is stored of a session.
    struct StoredSession {
        let owner: BSONValue
        let count: BSONValue
        let last: Int64?
    }

    private var isBroken: Bool { recipe.scenario == .broken }

    /// How many of a thousand sessions have a text for an owner, a wrong count, and no time of their last message; and of a
    /// thousand messages a text for a session, and for an owner.
    private enum Permille {
        static let (textOwner, wrongCount, lostTime) = (250, 400, 150)
        static let (textSession, textUser) = (60, 120)
    }

    /// What is damaged of a session.
    private func damage(_ session: Session) -> (textOwner: Bool, wrongCount: Int?, lostTime: Bool) {
        var random = session.random
        // Behind what the title is made of.
        for _ in 0..<8 { _ = random.next() }
        let textOwner = random.happens(Permille.textOwner)
        let wrongCount = random.happens(Permille.wrongCount) ? random.below(6) : nil
        return (textOwner, wrongCount, random.happens(Permille.lostTime))
    }

    /// A session as it is stored.
    ///
    /// - Parameters:
    ///   - live: How many messages the application shows in it.
    ///   - newest: When the newest of those was sent.
    func stored(_ session: Session, live: Int, newest: Int64?) -> StoredSession {
        let right = BSONValue.int32(Int32(clamping: live))
        guard isBroken else { return StoredSession(owner: .objectID(session.owner), count: right, last: newest) }
        let damage = damage(session)
        let count: BSONValue =
            switch damage.wrongCount {
            case nil: right
            case 0: .int32(Int32(clamping: live + 3))
            case 1: .int32(Int32(clamping: -live - 1))
            case 2: .null
            case 3: .string(String(live))
            case 4: .double(Double(live) + 0.5)
            default: .int64(Int64(live + 1))
            }
        return StoredSession(
            owner: damage.textOwner ? .string(session.owner.hex) : .objectID(session.owner), count: count,
            last: damage.lostTime ? nil : newest)
    }

    /// What stands for a message's references, where that isn't an ObjectId.
    func stored(_ number: Int, _ session: Session) -> (session: BSONValue?, owner: BSONValue?) {
        guard isBroken else { return (nil, nil) }
        var random = DemoRandom(seed: ~UInt64(truncatingIfNeeded: number), session.number)
        let isTextSession = random.happens(Permille.textSession)
        return (
            isTextSession ? .string(session.id.hex) : nil,
            random.happens(Permille.textUser) ? .string(session.owner.hex) : nil
        )
    }

    /// What a check has to find, by code and collection; nothing where nothing is broken.
    func truth() throws -> [DemoTruth] {
        guard isBroken else { return [] }
        var counts: [String: [String: Int]] = [:]
        func found(_ code: String, _ collection: String) { counts[code, default: [:]][collection, default: 0] += 1 }
        var block = layout.block(ofSession: 0)
        for number in 0..<recipe.sessions {
            if !block.sessions.contains(number) { block = layout.block(ofSession: number) }
            let session = session(number, block)
            var live = 0
            for message in session.messages {
                let stored = stored(message, session)
                if stored.session != nil { found("ref.string", ChatCollection.messages) }
                if stored.owner != nil { found("ref.string", ChatCollection.messages) }
                if isCounted(self.message(message, session), message, session) { live += 1 }
            }
            let damage = damage(session)
            if damage.textOwner { found("ref.string", ChatCollection.sessions) }
            if damage.lostTime, live > 0 { found("last.wrong", ChatCollection.sessions) }
            switch damage.wrongCount {
            case nil: continue
            case 2, 3, 4: found("count.type", ChatCollection.sessions)
            default: found("count.wrong", ChatCollection.sessions)
            }
        }
        for stray in try DemoStrays(self).truth {
            counts[stray.code, default: [:]][stray.collection, default: 0] += stray.count
        }
        return counts.flatMap { code, collections in collections.map { DemoTruth(code, $0.key, $0.value) } }
            .sorted { ($0.collection, $0.code) < ($1.collection, $1.code) }
    }

    /// Whether the application counts a message: it is shown, and refers to its session as the application looks for it.
    func isCounted(_ message: Message, _ number: Int, _ session: Session) -> Bool {
        !message.isDeleted && (!isBroken || stored(number, session).session == nil)
    }
}
