package import MongoDriver
internal import Synchronization

/// Keeps the pools of servers that are gone until the process ends.
///
/// Destroying a pool says goodbye to the server (`endSessions`), and looks for it until the server selection timeout is
/// over: 10 s that a test which has just killed the server would otherwise wait for nothing.
package enum KeptPools {
    private static let pools = Mutex<[MongoPool]>([])

    /// Keeps a pool from being destroyed.
    package static func keep(_ pool: MongoPool) { pools.withLock { $0.append(pool) } }
}
