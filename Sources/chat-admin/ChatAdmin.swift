internal import ArgumentParser

/// The command-line tool.
@main
struct ChatAdmin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat-admin",
        abstract: "Keep a chat application's MongoDB database healthy.",
        discussion: """
            Finds and repairs documents whose _id isn't an ObjectId, the references to them and the message counts, \
            as versioned steps that can be planned first and undone after; and seeds users for development.

            Every change is journalled before it is made. The connection comes from --uri, or CHAT_ADMIN_URI, or the \
            application's own MONGO_HOST, MONGO_PORT, MONGO_USERNAME, MONGO_PASSWORD and MONGO_DATABASE_NAME (also \
            from its .env and compose files), or chat-admin.yaml; without any, mongodb://127.0.0.1:27017.

            Exit codes: 0 done, nothing wrong left; 1 findings, or some left over; 2 steps are pending; 3 a step \
            failed; 4 not confirmed, refused, or blocked by the data; 5 the time of --max-time is over; 64 usage; 65 \
            bad input data; 69 server unreachable, or its data too old; 70 internal error; 74 local I/O; 75 another \
            run holds the lease; 77 not allowed; 78 configuration; 130, 143 interrupted, resumable.
            """,
        version: ToolVersion.current,
        subcommands: [
            Check.self, Report.self, Explain.self, Doctor.self, Repair.self, Migrate.self, Seed.self, Runs.self,
            History.self, SandboxCommand.self,
        ])
}

/// The tool's version, as `--version` prints it and runs record it.
enum ToolVersion {
    static let current = "0.1.0"
}
