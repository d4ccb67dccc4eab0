/// Users and their chats, as a file describes them.
package struct SeedSet: Sendable, Equatable {
    /// The users.
    package var users: [SeedUser]
    /// Their sessions.
    package var sessions: [SeedSession] = []
    /// What is said in them.
    package var messages: [SeedMessage] = []

    /// Describes users without chats.
    package init(users: [SeedUser]) { self.users = users }

    /// The users that `seed` makes when it is told nothing else.
    package static let builtIn = SeedSet(users: SeedUser.defaults)

    /// How many of its users are those of demo chats alone.
    package private(set) var demoUsers = 0

    /// The same with users of demo chats, who may be among them already.
    package func adding(_ others: [SeedUser]) -> SeedSet {
        var sum = self
        let names = Set(users.map(\.username))
        let new = others.filter { !names.contains($0.username) }
        sum.users += new
        sum.demoUsers = new.count
        return sum
    }

    /// The part of it that belongs to some of its users.
    package func only(_ names: Set<String>) -> SeedSet {
        var part = SeedSet(users: users.filter { names.contains($0.username) })
        part.sessions = sessions.filter { names.contains($0.user) }
        let kept = Set(part.sessions.map(\.name))
        part.messages = messages.filter { kept.contains($0.session) }
        return part
    }
}

/// A moment, as a file gives it.
package enum SeedTime: Sendable, Equatable {
    /// In milliseconds since 1970.
    case at(Int64)
    /// So many milliseconds before now.
    case before(Int64)

    /// In milliseconds since 1970.
    package func milliseconds(_ now: Int64) -> Int64 {
        switch self {
        case .at(let time): time
        case .before(let time): now - time
        }
    }
}

/// A session to be seeded.
package struct SeedSession: Sendable, Equatable {
    /// What it is called within the file, and found by in the database.
    package let name: String
    /// The name of the user whom it belongs to.
    package let user: String
    let title: String
    let created: SeedTime
    let isDeleted: Bool
    /// How many messages are made up for it.
    let messages: Int
}

/// A message to be seeded.
package struct SeedMessage: Sendable, Equatable {
    /// The session that it belongs to.
    package let session: String
    let role: SeedRole
    let content: String
    /// Nil where it isn't said.
    let created: SeedTime?
    let isDeleted: Bool
}

/// Who says a message.
package enum SeedRole: String, Sendable, CaseIterable {
    case user
    case assistant
}
