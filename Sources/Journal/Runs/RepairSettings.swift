/// How steps behave towards an application that writes at the same time, and what they may do.
public struct RepairSettings: Sendable {
    /// Nobody else writes: counters are set at once, without waiting for them to settle.
    public var offline = false
    /// How long a counter must have been seen at rest before it is set, in seconds. It must exceed the application's
    /// longest gap between an insert and its increment.
    package var settle = Duration.seconds(10)
    /// How long a repair may go on; nil for as long as it takes.
    package var maxTime: Duration?
    /// How often a recount looks at everything, at most, before what still changes is left.
    package var rounds = RepairSettings.defaultRounds
    /// How many connections work at once.
    public var workers = RepairSettings.defaultWorkers
    /// Whether counters are set to zero also where what they count isn't there at all.
    package var setsZero = false
    /// Whether a step may do what can lose data.
    public var allowsDangerous = false
    /// The largest number of bytes of documents that are journalled before a command that destroys them; a larger
    /// collection is destroyed without, and can't be restored.
    public var journalLimit = RepairSettings.defaultJournalLimit

    /// As many as keep a small server busy without taking it from the application.
    public static let defaultWorkers = 2

    /// Under steady damage that is two minutes with the default settling time.
    package static let defaultRounds = 5

    /// 1 GiB.
    public static let defaultJournalLimit: Int64 = 1 << 30

    /// The defaults: an application that writes, 10 s, no limit, two workers, nothing dangerous.
    public init() {}
}
