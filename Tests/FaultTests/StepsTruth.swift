import BSON
import TestSupport

/// What the incident has to look like once the steps of `Steps` are applied, each exactly once.
struct StepsTruth {
    let start: [String: [BSONDocument]]

    /// What is wrong with the data and with the ledger, in words.
    func problems(_ database: TestDatabase) async throws -> [String] {
        var problems: [String] = []
        let users = try await database.all("users")
        let expected = (start["users"] ?? []).map { user in
            user["username"] == nil ? user : user.replacing("visits", with: 1)
        }
        if Set(users.filter { $0["made"] == nil }) != Set(expected) { problems.append("users: \(users)") }
        let made = users.filter { $0["made"] != nil }.compactMap { $0["username"]?.string }
        if made != ["carol"] { problems.append("users made: \(made)") }

        let tags = try await database.all("tags")
        let uses = tags.sorted { ($0["name"]?.string ?? "") < ($1["name"]?.string ?? "") }
            .map { $0["uses"]?.array?.count ?? 0 }
        if uses != [1, 0] { problems.append("tags: \(tags)") }

        let messages = try await database.all("messages")
        let kept = (start["messages"] ?? []).filter { $0["role"] != "assistant" || $0["deleted"] != true }
        if messages != kept.map({ $0["role"] == "user" ? $0.replacing("checked", with: "yes") : $0 }) {
            problems.append("\(messages.count) messages")
        }

        let artifacts = try await database.all("artifacts")
        if Set(artifacts) != Set((start["artifacts"] ?? []).map { $0.replacing("copies", with: 1) }) {
            problems.append("artifacts: \(artifacts)")
        }
        if try await !database.all("notes").isEmpty { problems.append("notes aren't dropped") }
        return try await problems + ledgerProblems(database)
    }

    /// What the ledger says of each step, however many runs it took.
    private func ledgerProblems(_ database: TestDatabase) async throws -> [String] {
        let start = { (collection: String) -> [BSONDocument] in self.start[collection] ?? [] }
        let expected: [[String: Int]] = [
            [
                "update users": start("users").count { $0["username"] != nil }, "insert users": 1, "insert tags": 2,
                "update messages": start("messages").count { $0["role"] == "user" },
                "delete messages": start("messages").count { $0["role"] == "assistant" && $0["deleted"] == true },
                "update tags": 1,
            ],
            ["create collection notes": 1, "create index notes": 1, "insert notes": 2, "update notes": 1],
            ["aggregate artifacts": start("artifacts").count, "drop notes": 1],
        ]
        let rows = try await database.all("chat_admin.migrations")
        var problems: [String] = []
        for (row, expected) in zip(rows, expected) {
            var changes: [String: Int] = [:]
            for change in row["changes"]?.array?.values.compactMap(\.document) ?? [] {
                let name = "\(change["code"]?.string ?? "") \(change["collection"]?.string ?? "")"
                changes[name] = Int(change["changed"]?.integer ?? 0)
            }
            if changes != expected.filter({ $0.value > 0 }) { problems.append("the ledger says \(changes)") }
            if row["left"]?.array?.isEmpty == false {
                problems.append("the ledger says that something is left: \(row)")
            }
        }
        if rows.count != expected.count { problems.append("\(rows.count) rows in the ledger") }
        return problems
    }
}
