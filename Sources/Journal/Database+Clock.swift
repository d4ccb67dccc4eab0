internal import BSON
internal import MongoDriver

extension Database {
    /// What the server's clock says, in milliseconds since 1970: this machine's may be wrong.
    ///
    /// - Throws: `MongoError`.
    package func serverTime() async throws -> Int64 {
        let hello = try await client.run(["hello": 1], on: "admin", mode: .read, readPreference: readPreference)
        return hello["localTime"]?.date ?? WallClock.milliseconds
    }
}
