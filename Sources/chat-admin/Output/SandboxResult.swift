internal import Sandbox

/// What `sandbox start` prints.
struct SandboxResult: CommandResult {
    /// What is told of one sandbox.
    struct Item: Encodable {
        let name: String
        /// `running`, or `stopped`.
        let state: String
        /// How clients connect; absent where it doesn't run.
        let uri: String?
        let ports: [Int]?
        let pids: [Int32]?
        let version: String?
        let replicaSet: String?
        let database: String?
        let startedAt: String?
        /// When it is ended if nobody does before.
        let expiresAt: String?
        /// The folder that its data stay in.
        let kept: String?
        let snapshots: [String]
        let logs: [String]

        /// Nil where nothing is known of it.
        init?(_ folder: SandboxFolder) {
            let record = folder.record
            let alive = record.flatMap { $0.isAlive ? $0 : nil }
            guard alive != nil || record?.isStarting == false || !folder.snapshotNames.isEmpty else { return nil }
            self.init(alive, folder)
        }

        init(_ record: SandboxRecord?, _ folder: SandboxFolder) {
            name = folder.name
            state = record == nil ? "stopped" : "running"
            uri = record?.uri
            ports = record?.members.map(\.port)
            pids = record?.members.filter(\.isAlive).map(\.process.pid)
            (version, replicaSet, database) = (record?.version, record?.replicaSet, record?.database)
            startedAt = (record?.startedAt).map(TimeText.iso8601)
            expiresAt = (record?.expiresAt).map(TimeText.iso8601)
            kept = record?.kept
            snapshots = folder.snapshotNames
            logs = folder.logs
        }
    }

    let command: String
    let sandbox: Item

    init(_ command: String, _ record: SandboxRecord, _ folder: SandboxFolder) {
        (self.command, sandbox) = (command, Item(record, folder))
    }

    func lines(_ style: TextStyle) -> [String] {
        let members = sandbox.ports?.count ?? 1
        let kind = sandbox.replicaSet == nil ? "standalone" : "replica set of \(members)"
        let end = sandbox.expiresAt.map { "; ends at \($0)" } ?? ""
        let data = sandbox.kept.map { "its data stay in \($0)" } ?? "its data go when it is stopped"
        return [
            "\(style.good("The sandbox \(sandbox.name) runs")): MongoDB \(sandbox.version ?? ""), \(kind); \(data)\(end).",
            PlainText.tied("  export CHAT_ADMIN_URI='\(sandbox.uri ?? "")'"),
            "`chat-admin sandbox stop \(sandbox.name)` ends it.",
        ]
    }
}

/// What `sandbox list` prints.
struct SandboxListResult: CommandResult {
    let command = "sandbox list"
    let sandboxes: [SandboxResult.Item]

    func lines(_ style: TextStyle) -> [String] {
        guard !sandboxes.isEmpty else { return ["No sandbox runs."] }
        return TextTable.lines(
            sandboxes.map { item in
                let snapshots = item.snapshots.isEmpty ? "" : "snapshots: \(item.snapshots.joined(separator: ", "))"
                return [item.name, item.state, item.version ?? "", item.uri ?? "", snapshots]
            }, indent: "")
    }
}

/// What `sandbox stop` prints.
struct SandboxStopResult: CommandResult {
    let command = "sandbox stop"
    let stopped: [String]
    /// Those that didn't run any more, and keep their snapshots.
    let resting: [String]

    private enum CodingKeys: String, CodingKey { case command, stopped }

    func lines(_ style: TextStyle) -> [String] {
        let lines =
            stopped.map { "The sandbox \($0) has ended." }
            + resting.map { name in
                "The sandbox \(name) is stopped already, and its snapshots stay. "
                    + "\(PlainText.tied("`chat-admin sandbox stop \(name) --purge`")) removes them."
            }
        return lines.isEmpty ? ["No sandbox runs."] : lines
    }
}

/// What `sandbox logs` prints as JSON: where they are.
struct SandboxLogsResult: CommandResult {
    let command = "sandbox logs"
    let logs: [String]

    func lines(_ style: TextStyle) -> [String] { logs }
}

/// What `sandbox snapshot` and `sandbox restore` print.
struct SandboxCopyResult: CommandResult {
    let command: String
    let name: String
    let snapshot: String
    /// How clients connect.
    let uri: String

    private enum CodingKeys: String, CodingKey { case command, name, snapshot }

    func lines(_ style: TextStyle) -> [String] {
        let isTaken = command == "sandbox snapshot"
        return [
            isTaken
                ? "The sandbox \(name) has the snapshot \(snapshot): `chat-admin sandbox restore \(name) \(snapshot)` brings it back."
                : "The sandbox \(name) is as it was in the snapshot \(snapshot), at \(uri)"
        ]
    }
}
