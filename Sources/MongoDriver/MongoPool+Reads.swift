package import BSON

extension MongoPool {
    /// The oldest moment of the data that this pool's clients have read so far, by finds, aggregations, lists and commands
    /// of mode ``CommandMode/read``; nil where nothing was read, or from a server without a replica set.
    ///
    /// It is the set's own time: a member that lags behind, or a majority that is away, shows in it. A primary that
    /// nobody writes to moves on by itself every ten seconds.
    package var oldestRead: BSONTimestamp? { reads.oldest }

    /// How far the data of a read were behind the newest that its server had heard of in the set, at worst; nil as
    /// ``oldestRead``. No clock of this machine is involved. In whole seconds; up to ten may come from an idle primary.
    package var longestReadLag: Duration? { reads.longestLag.map { .seconds(Int64($0)) } }

    /// Begins anew with ``oldestRead`` and ``longestReadLag``.
    package func resetReads() { reads.reset() }
}
