internal import BSON
internal import CMongoC
package import Logging

/// What one server says of itself and of its replica set, to anybody who asks.
package struct MemberReport: Sendable, Equatable {
    /// The replica set that it is a member of; nil where it is none.
    package let setName: String?
    /// The primary, as the set's members call it; nil where there is none at the moment.
    package let primary: String?
    /// The set's members, as they call themselves.
    package let members: [String]
}

extension ConnectionString {
    /// The replica set that the string names.
    package var replicaSet: String? { option("replicaset") }

    /// The database that the string says knows the user; nil where it doesn't say.
    package var authSource: String? { option("authsource") }

    private func option(_ name: String) -> String? {
        guard let value = Parts(text).value(of: name), let decoded = mongoc_uri_unescape(value) else { return nil }
        defer { bson_free(decoded) }
        return String(cString: decoded)
    }

    /// Asks one server what it is, without signing in.
    ///
    /// - Parameter host: `host:port`, as one of ``hosts``.
    /// - Returns: nil where it doesn't answer.
    package func member(at host: String, logger: Logger) async -> MemberReport? {
        // A socket of this machine is there, or it isn't.
        guard !host.hasPrefix("/") else { return nil }
        var options = MongoPool.Options()
        options.serverSelectionTimeoutMS = 2_000
        do {
            let pool = try MongoPool(alone(host), options: options, logger: logger)
            pool.keepUntilExit()
            return try await pool.withClient { client in
                let hello = try await client.run(["hello": 1], on: "admin")
                return MemberReport(
                    setName: hello["setName"]?.string, primary: hello["primary"]?.string,
                    members: MongoClient.members(hello))
            }
        } catch {
            // No answer is the answer: the caller has an error already, which this was to explain.
            return nil
        }
    }

    /// The same way to one server alone, and without a user.
    private func alone(_ host: String) throws(MongoError) -> ConnectionString {
        let isService = text.hasPrefix("mongodb+srv://")
        let dropped: Set<String> = [
            "authmechanism", "authmechanismproperties", "authsource", "directconnection", "replicaset", "srvmaxhosts",
            "srvservicename",
        ]
        let kept = Parts(text).options(without: dropped) + ["directConnection=true"] + (isService ? ["tls=true"] : [])
        return try ConnectionString("mongodb://\(host)/?\(kept.joined(separator: "&"))")
    }
}
