internal import ArgumentParser

/// Throwaway servers.
struct SandboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox",
        abstract: "Start a throwaway MongoDB of one's own, without Docker and without root.",
        discussion: """
            A sandbox listens on loopback only, on a free port. Its `mongod` is --mongod, CHAT_ADMIN_MONGOD, the first in \
            PATH, or what `make setup` has fetched into .tools. What it keeps is in CHAT_ADMIN_SANDBOXES, by default \
            ~/.local/state/chat-admin/sandboxes. Each of these commands first ends what was forgotten: sandboxes whose \
            --ttl is over, and those of an exec that was killed.
            """,
        subcommands: [
            SandboxStart.self, SandboxExec.self, SandboxList.self, SandboxStop.self, SandboxLogs.self,
            SandboxShell.self, SandboxSnapshot.self, SandboxRestore.self,
        ])

    /// What a sandbox is called that nobody has named.
    static let usualName = "default"
    static let nameHelp: ArgumentHelp = "The sandbox's name."
}

/// Options of commands that need no server.
struct PlainOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Print results as text or as one JSON document.", valueName: "text|json"))
    var format: OutputFormat = .text

    @Flag(name: [.short, .long], help: "Print no remarks.")
    var quiet = false

    @Flag(help: "Print without colours.")
    var noColor = false
}
