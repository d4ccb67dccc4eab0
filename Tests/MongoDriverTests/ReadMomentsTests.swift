import BSON
import MongoDriver
import Testing

@Suite("The age of what is read")
struct ReadMomentsTests {
    /// What a member of a replica set answers that shows one moment and knows of another, in seconds since 1970.
    private func reply(_ seen: UInt32, knowsOf newest: UInt32, increment: UInt32 = 1) -> BSONDocument {
        [
            "ok": 1, "operationTime": .timestamp(BSONTimestamp(seconds: seen, increment: 1)),
            "$clusterTime": ["clusterTime": .timestamp(BSONTimestamp(seconds: newest, increment: increment))],
        ]
    }

    @Test("is nothing where nothing newer is known, however long nobody has written")
    func newest() {
        let moments = ReadMoments()
        moments.reset(serverTime: 1_000_000)
        moments.note(reply(100, knowsOf: 100))
        #expect(moments.longestLag == 0)
    }

    @Test("is counted by the server's clock where something newer is known: an idle set's own time stands still")
    func byClock() {
        let moments = ReadMoments()
        moments.reset(serverTime: 196_000)
        moments.note(reply(100, knowsOf: 101))
        #expect(moments.longestLag.map { (96...100).contains($0) } == true)
        moments.reset(serverTime: 196_000)
        moments.note(reply(100, knowsOf: 100, increment: 2))
        #expect(moments.longestLag.map { (96...100).contains($0) } == true)
    }

    @Test("is what the set knows where the server's clock is behind, or isn't known")
    func bySet() {
        let moments = ReadMoments()
        moments.reset(serverTime: 50_000)
        moments.note(reply(100, knowsOf: 107))
        #expect(moments.longestLag == 7)
        moments.reset()
        moments.note(reply(100, knowsOf: 107))
        #expect(moments.longestLag == 7)
    }
}
