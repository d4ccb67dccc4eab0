/// The server's internal timestamp, used by the oplog, the cluster time and read concerns.
///
/// It is one 64-bit number whose high half is ``seconds`` and whose low half is ``increment``
/// (<https://bsonspec.org/spec.html>). For a point in time of the user's own data use ``BSONValue/date(_:)``.
public struct BSONTimestamp: Hashable, Comparable, Sendable {
    /// Seconds since 1970-01-01T00:00:00Z.
    public var seconds: UInt32

    /// The position among the operations of one second.
    public var increment: UInt32

    /// Makes a timestamp of its two halves.
    public init(seconds: UInt32, increment: UInt32) {
        self.seconds = seconds
        self.increment = increment
    }

    /// Orders timestamps by their seconds, then by their increment.
    public static func < (left: BSONTimestamp, right: BSONTimestamp) -> Bool {
        (left.seconds, left.increment) < (right.seconds, right.increment)
    }
}
