internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import MongoDriver

/// What the dynamic linker calls before any library begins.
@section(".preinit_array") @used private let beforeLibraries: @convention(c) () -> Void = {
    MongoRuntime.dropEarlyLog()
}

extension ChatAdmin {
    /// Parses and runs, with three additions to what the parser's own `main` does: a wrong command line is one JSON
    /// document too where JSON is wanted, no argument that could hold a password is repeated, and a reader that went away
    /// is an error to report, not a signal to die of.
    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        MongoRuntime.forgetCounters()
        MongoRuntime.giveLargeBlocksBack()
        keepColumnsReadable()
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            end(report(error))
        }
        end(0)
    }

    /// Ends without the C library's clean-up: OpenSSL's would take away what the driver's threads still use, and the exit code
    /// would be that of a crash.
    private static func end(_ code: Int32) -> Never {
        fflush(nil)
        _exit(code)
    }

    /// Says what is wrong with the command line, or prints the help that was asked for.
    private static func report(_ error: any Error) -> Int32 {
        if let code = error as? ExitCode { return code.rawValue }
        let code = exitCode(for: error).rawValue
        let message = withoutSecrets(fullMessage(for: error))
        guard code != 0 else {
            // `-psecret` has no h for help in it, even where there is an h; the command mustn't seem to have been done.
            if let index = arguments.firstIndex(where: SecretArguments.isShortOptionWithText) {
                let words = "Error: Unknown option number \(index + 1) (not shown here)"
                return refuse(words, words, ExitStatus.usage.rawValue)
            }
            print(message)
            return code
        }
        guard let objection = CommandNames.objection(to: arguments, root: ChatAdmin.self) else {
            return refuse(
                CommandNames.withoutFarGuess(message), CommandNames.withoutFarGuess(self.message(for: error)), code)
        }
        let lines = message.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
        return refuse((["Error: \(objection)"] + lines).joined(separator: "\n"), objection, code)
    }

    private static func refuse(_ fullMessage: String, _ message: String, _ code: Int32) -> Int32 {
        let console = Console(isQuiet: false, noColor: true)
        console.error(
            withPlainArguments(fullMessage).split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
        let result = CommandSession.ErrorResult(command: "chat-admin", error: withoutSecrets(message), exitCode: code)
        if wantsJSON {
            do {
                try console.result(json: result)
            } catch {
                console.error("chat-admin: \(error)")
            }
        }
        guard let telling = CheckTelling(refused: arguments) else { return code }
        return telling.ended(result.end(.usage, console, nil))
    }

    /// A line break in an argument that the parser repeats is none of its own.
    private static func withPlainArguments(_ text: String) -> String {
        let parts = CommandLine.arguments.dropFirst().flatMap { argument in
            [argument] + argument.split(separator: "=", maxSplits: 1).map(String.init)
        }
        return parts.filter { $0 != PlainText.line($0) }.sorted { $0.count > $1.count }.reduce(text) {
            $0.replacing($1, with: PlainText.line($1))
        }
    }

    private static var wantsJSON: Bool {
        let arguments = CommandLine.arguments
        if arguments.contains("--format=json") { return true }
        return zip(arguments, arguments.dropFirst()).contains { $0 == "--format" && $1 == "json" }
    }

    private static var arguments: [String] { Array(CommandLine.arguments.dropFirst()) }

    private static func withoutSecrets(_ text: String) -> String {
        SecretArguments.hide(in: text, arguments, shown: CommandNames.count(in: arguments, root: ChatAdmin.self))
    }

    /// The parser's help wraps at `COLUMNS`, and can't at less than its own indentation.
    private static func keepColumnsReadable() {
        guard let columns = ProcessInfo.processInfo.environment["COLUMNS"] else { return }
        if Int(columns).map({ $0 < 40 }) ?? true { unsetenv("COLUMNS") }
    }
}
