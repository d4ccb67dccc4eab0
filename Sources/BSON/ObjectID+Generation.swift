import Synchronization

extension ObjectID {
    /// The five bytes that identify this process: random, and the same until it ends.
    private static let processIdentity = UInt64.random(in: 0..<(1 << 40))

    /// The next value of the counter; only its low 24 bits are used. It starts at a random value.
    private static let counter = Atomic<UInt32>(UInt32.random(in: 0..<(1 << 24)))

    /// Makes a new identifier, unlike any other this process makes.
    ///
    /// The layout is the one of the ObjectID specification: the seconds, five random bytes fixed for the process,
    /// and a three-byte counter that starts at random and wraps around. The counter is atomic, so any thread may
    /// call this at any time; a process would have to make more than 16,777,216 identifiers with the same
    /// timestamp to see one twice.
    ///
    /// - Parameter timestamp: Seconds since 1970-01-01T00:00:00Z.
    public init(timestamp: UInt32) {
        let count = Self.counter.wrappingAdd(1, ordering: .relaxed).oldValue & 0xff_ffff
        let identity = Self.processIdentity
        self.init(
            high: UInt64(timestamp) << 32 | identity >> 8,
            low: UInt32(truncatingIfNeeded: identity & 0xff) << 24 | count
        )
    }
}
