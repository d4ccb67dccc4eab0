/// What decides every byte of demo chats, but for the time that is taken for now.
package struct DemoRecipe: Sendable, Equatable {
    /// How many users they belong to.
    package var users: Int
    /// How many sessions.
    package var sessions: Int
    /// How many messages.
    package var messages: Int
    /// How many artifacts.
    package var artifacts: Int
    /// What random choices begin with.
    package var seed: UInt64
    /// What kind of chats.
    package var scenario: DemoScenario

    /// The chats of a situation, in its usual size.
    package init(_ scenario: DemoScenario = .usual, seed: UInt64 = 0) {
        (users, sessions, messages, artifacts) = scenario.sizes
        self.scenario = scenario
        self.seed = seed
    }

    /// The most of each: numbers have four bytes, and users are made one by one.
    private static let (mostUsers, most) = (100_000, 1_000_000_000)
    private static let names = ["users", "sessions", "messages", "artifacts"]

    /// Why sizes can't be used.
    package struct Objection: Error, CustomStringConvertible {
        package let description: String
    }

    /// Sets sizes as somebody has written them.
    ///
    /// - Parameter text: Such as `users=100,sessions=1000,messages=100000`; messages and artifacts that aren't said
    ///   follow the sessions, what else isn't said stays as it is; `usual` leaves all of it.
    /// - Throws: ``Objection``.
    package mutating func resize(_ text: String) throws(Objection) {
        guard text != "usual" else { return }
        var given: [String: Int] = [:]
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", omittingEmptySubsequences: false).map { String($0).trimmingSpaces }
            guard pair.count == 2, Self.names.contains(pair[0]) else {
                throw Objection(
                    description: "`\(part)` isn't one of \(Self.names.map { "`\($0)=N`" }.joined(separator: ", ")), "
                        + "with commas between them")
            }
            let largest = pair[0] == "users" ? Self.mostUsers : Self.most
            guard let number = Int(pair[1]), (0...largest).contains(number) else {
                throw Objection(description: "`\(pair[0])` has to be a whole number from 0 to \(largest)")
            }
            guard given.updateValue(number, forKey: pair[0]) == nil else {
                throw Objection(description: "`\(pair[0])` stands there twice")
            }
        }
        let perSession = (messages: messages, sessions: max(sessions, 1))
        users = given["users"] ?? users
        if let number = given["sessions"] {
            sessions = number
            // The largest number of sessions times the most messages that a situation has fits an Int.
            messages = min(number * perSession.messages / perSession.sessions, Self.most)
        }
        messages = given["messages"] ?? messages
        artifacts = given["artifacts"] ?? (given["sessions"] == nil ? artifacts : sessions / 10)
        if sessions == 0 && messages + artifacts > 0 {
            throw Objection(description: "messages and artifacts need sessions")
        }
        if users == 0 && sessions > 0 { throw Objection(description: "sessions need users") }
    }

    /// What tells these chats from others: another size or seed makes other ones, beside these.
    var name: String {
        "\(scenario.rawValue) users=\(users),sessions=\(sessions),messages=\(messages),artifacts=\(artifacts) seed=\(seed)"
    }
}

/// Situations that chats can be in.
package enum DemoScenario: String, Sendable, CaseIterable {
    /// What an application in use looks like.
    case usual
    /// Sessions without messages.
    case empty
    /// Few users who write very much.
    case busy
    /// Most of it is deleted.
    case deleted
    /// Long messages.
    case long
    /// Every script, and what is hard to show.
    case unicode
    /// What the bug has left.
    case broken

    /// Users, sessions, messages, artifacts.
    fileprivate var sizes: (Int, Int, Int, Int) {
        switch self {
        case .usual: (100, 1_000, 100_000, 100)
        case .empty: (5, 20, 0, 0)
        case .busy: (3, 12, 6_000, 12)
        case .deleted: (5, 40, 400, 10)
        case .long: (3, 10, 60, 5)
        case .unicode: (20, 60, 600, 20)
        case .broken: (20, 100, 1_000, 20)
        }
    }

    /// How many of a thousand messages, and of a thousand sessions, are deleted.
    var deleted: (messages: Int, sessions: Int) { self == .deleted ? (800, 600) : (20, 50) }

    /// How many documents are made at once.
    var batch: Int { self == .long ? 64 : 4_096 }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
