package import BSON

extension MongoPool {
    /// The oldest moment of the data that this pool's clients have read so far, by finds, aggregations, lists and commands
    /// of mode ``CommandMode/read``; nil where nothing was read, or from a server without a replica set.
    ///
    /// It is the set's own time: a member that lags behind, or a majority that is away, shows in it. A primary that
    /// nobody writes to moves on by itself every ten seconds.
    package var oldestRead: BSONTimestamp? { reads.oldest }

    /// For how long the data of a read may have been out of date, at worst: nothing where its server had heard of nothing
    /// newer in the set; nil as ``oldestRead``. In whole seconds by the server's clock; up to ten may come from an idle
    /// primary. No clock of this machine is involved.
    package var longestReadLag: Duration? { reads.longestLag.map { .seconds(Int64($0)) } }

    /// Begins anew with ``oldestRead`` and ``longestReadLag``.
    ///
    /// - Parameter serverTime: What the server's clock says now, in milliseconds since 1970.
    package func resetReads(serverTime: Int64? = nil) { reads.reset(serverTime: serverTime) }
}
