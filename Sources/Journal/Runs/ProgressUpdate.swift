/// How far a long operation has come.
public struct ProgressUpdate: Sendable {
    /// What is being done, in a few words.
    public let what: String
    /// How many items are done.
    public let done: Int
    /// How many there are, where that is known.
    public let total: Int?
    /// Why nothing moves just now, such as `settling 4 s`.
    public let waiting: Sentence?
    /// Whether it is a remark for those who want to know more, and no progress.
    public var isNote = false

    /// A remark, such as which index is used.
    public static func note(_ text: String) -> ProgressUpdate {
        var update = ProgressUpdate(text)
        update.isNote = true
        return update
    }

    /// Says how far an operation has come.
    public init(_ what: String, done: Int = 0, total: Int? = nil, waiting: Sentence? = nil) {
        self.what = what
        self.done = done
        self.total = total
        self.waiting = waiting
    }
}

/// Where progress is shown.
public typealias ProgressReport = @Sendable (ProgressUpdate) -> Void
