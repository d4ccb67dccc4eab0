/// The users whom demo chats belong to.
enum DemoUsers {
    /// What they all log in with. It is hashed once: their hashes are equal.
    static let password = "demopass123"
}
