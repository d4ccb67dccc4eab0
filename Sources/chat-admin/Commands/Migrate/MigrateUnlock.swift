internal import ArgumentParser
import Journal

/// Frees the lease of a run that ended without giving it back.
struct MigrateUnlock: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unlock", abstract: "Free the lease of a run that is no longer there.",
        discussion: """
            A lease whose time is over is freed at once; one of a run that may still be at work only with --force: \
            that run then stops when it renews its lease, and the next one can begin when it would have expired, half a \
            minute later at most.
            """)

    @OptionGroup var options: GlobalOptions

    @Flag(help: "Take the lease from a run that may still be at work.")
    var force = false

    func run() async throws {
        try await CommandSession.run("migrate unlock", options, changes: true) { session in
            let outcome = try await Lease.unlock(session.database, force: force)
            try session.console.print(
                UnlockResult(database: session.database.name, outcome: outcome), options.format)
            return .done
        }
    }
}

/// What `migrate unlock` prints.
private struct UnlockResult: CommandResult {
    let command = "migrate unlock"
    let database: String
    /// `free`, `freed` or `taken`.
    let lease: String
    let owner: String?

    init(database: String, outcome: Lease.Unlocking) {
        self.database = database
        switch outcome {
        case .wasFree: (lease, owner) = ("free", nil)
        case .freed(let holder): (lease, owner) = ("freed", holder)
        case .taken(let holder): (lease, owner) = ("taken", holder)
        }
    }

    func lines(_ style: TextStyle) -> [String] {
        switch lease {
        case "freed": ["The lease is free. It was left behind by \(owner ?? "unknown")."]
        case "taken":
            [
                style.warning(
                    "The lease was taken from \(owner ?? "unknown"), which stops as soon as it notices. Within half a "
                        + "minute the next run can begin; `--wait 40` lets it wait.")
            ]
        default: ["Nobody holds the lease."]
        }
    }
}
