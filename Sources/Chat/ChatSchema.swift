internal import BSON
package import Consistency

extension DatabaseSchema {
    /// The chat application's database: users, their sessions, and the messages and artifacts in them.
    package static let chat = DatabaseSchema([.users, .chatSessions, .messages, .artifacts])
}

extension CollectionSchema {
    static let users = CollectionSchema(
        name: ChatCollection.users, createdField: "created_at",
        uniqueFields: ["username", "email"],
        // The application's own dates of users are text. An account without a name logs in by its address; one without a
        // full name, or without an address, doesn't.
        fields: [
            FieldRule("username", [.string], absence: .reported(.warning)),
            FieldRule("email", [.string], absence: .reported(.error)),
            FieldRule("full_name", [.string], absence: .copies("username")),
            FieldRule("role", [.string]), FieldRule("disabled", [.bool]), FieldRule("workspaces", [.array]),
            FieldRule("created_at", [.string]), FieldRule("updated_at", [.string]),
        ],
        passwordField: PasswordField(field: "hashed_password", pattern: PasswordHash.pattern),
        indexes: [
            IndexSpecification(key: ["username": 1], isUnique: true, isOfText: true),
            IndexSpecification(key: ["email": 1], isUnique: true, isOfText: true),
        ],
        sampleFields: ["username"])

    static let chatSessions = CollectionSchema(
        name: ChatCollection.sessions, plural: "sessions", createdField: "created_at", ownerField: "user_id",
        references: [Reference(field: "user_id", target: ChatCollection.users, outlivesTarget: true)],
        counters: [
            Counter(
                field: "message_count", latestField: "last_message_at", counted: ChatCollection.messages,
                reference: "session_id", deletedField: "deleted", createdField: "created_at",
                // The application sets the time itself, a little after the message's own.
                toleranceMS: 60_000)
        ],
        fields: ChatCollection.ownFields + [
            // One session without it breaks the whole sidebar of its user.
            FieldRule("last_message_at", Set(BSONType.allCases), absence: .recounted), FieldRule("title", [.string]),
        ],
        // The sidebar lists a user's sessions, newest first.
        indexes: [IndexSpecification(key: ["user_id": 1, "updated_at": -1])])

    static let messages = CollectionSchema(
        name: ChatCollection.messages, createdField: "created_at", ownerField: "user_id",
        references: ChatCollection.ownReferences, fields: ChatCollection.ownFields,
        // Counting reads this index alone.
        indexes: [IndexSpecification(key: ["session_id": 1, "deleted": 1, "created_at": 1])])

    static let artifacts = CollectionSchema(
        name: ChatCollection.artifacts, createdField: "created_at", ownerField: "user_id",
        references: ChatCollection.ownReferences, fields: ChatCollection.ownFields,
        indexes: [IndexSpecification(key: ["session_id": 1])])
}

/// The names of the chat application's collections.
package enum ChatCollection {
    /// Who can log in.
    package static let users = "users"
    /// Conversations.
    package static let sessions = "chat_sessions"
    /// What was said in them.
    package static let messages = "messages"
    /// Files and texts that belong to them.
    package static let artifacts = "artifacts"

    /// What a message and an artifact refer to.
    static let ownReferences = [
        Reference(field: "session_id", target: sessions, sharesOwner: true),
        Reference(field: "user_id", target: users, outlivesTarget: true),
    ]

    /// What every collection but that of the users has. What isn't marked as deleted isn't shown either: the application
    /// asks for false.
    static let ownFields = [
        FieldRule("deleted", [.bool], absence: .becomes(false)), FieldRule("deleted_at", [.date]),
        FieldRule("created_at", [.date]), FieldRule("updated_at", [.date]),
    ]
}
