internal import ArgumentParser
internal import InputFiles

/// What people may have meant by a command line that isn't understood.
enum CommandNames {
    /// A sentence about a word that stands where a command should, and is none; nil where there is no such word.
    ///
    /// - Parameters:
    ///   - arguments: What follows the program's name.
    ///   - root: The program.
    static func objection(to arguments: [String], root: any ParsableCommand.Type) -> String? {
        let (path, subcommands) = path(of: arguments, root: root)
        // What is no word may be a connection string, or another secret.
        guard !subcommands.isEmpty, let word = arguments.dropFirst(path.count).first, !word.hasPrefix("-"),
            word != "help", word.allSatisfy({ $0.isLetter || $0 == "-" })
        else { return nil }
        let names = subcommands.map(name)
        let meant = otherWords[path]?[word] ?? NearestName.of(word, among: names)
        let known = meant.map { (path + [$0]).joined(separator: " ") }
        // Of a command that does something by itself a word behind it may be anything.
        if known == nil, doesSomething(path) { return nil }
        // One of another command's, such as `up`.
        let elsewhere = leaves(of: root, []).first { $0.last == word }?.joined(separator: " ")
        let advice =
            (known ?? elsewhere).map { "Did you mean `\($0)`?" }
            ?? "\(path.isEmpty ? "There" : "Of `\(path.joined(separator: " "))` there") are \(Readable.list(names))."
        return "There is no command `\((path + [word]).joined(separator: " "))`. \(advice)"
    }

    /// How many arguments, from the first on, name the command, or are meant to.
    static func count(in arguments: [String], root: any ParsableCommand.Type) -> Int {
        let (path, subcommands) = path(of: arguments, root: root)
        guard !subcommands.isEmpty, let word = arguments.dropFirst(path.count).first else { return path.count }
        if doesSomething(path), NearestName.of(word, among: subcommands.map(name)) == nil { return path.count }
        return path.count + 1
    }

    /// What other tools call a command, where one of this tool's has its name elsewhere, or a name near to it.
    private static let otherWords = [
        [name(of: SandboxCommand.self)]: [
            "status": "list", "ps": "list", "ls": "list", "show": "list", "up": "start", "run": "exec", "down": "stop",
            "rm": "stop", "remove": "stop", "delete": "stop", "kill": "stop",
        ]
    ]

    /// Whether a command with commands of its own does something without one.
    private static func doesSomething(_ path: [String]) -> Bool { path == [name(of: Check.self)] }

    /// The command that arguments begin with, and what may follow it; that is nothing where it has no commands of its own.
    static func path(
        of arguments: [String], root: any ParsableCommand.Type
    ) -> (names: [String], subcommands: [any ParsableCommand.Type]) {
        var names: [String] = []
        var subcommands = root.configuration.subcommands
        for word in arguments {
            guard let next = subcommands.first(where: { name(of: $0) == word }) else { break }
            names.append(word)
            subcommands = next.configuration.subcommands
        }
        return (names, subcommands)
    }

    /// A message of the parser's without its guess where that isn't near what was written: it always has one.
    static func withoutFarGuess(_ message: String) -> String {
        guard let match = message.firstMatch(of: /Unknown option '([^']*)'\.( Did you mean '([^']*)'\?)/) else {
            return message
        }
        let isNear = NearestName.of(String(match.1), among: [String(match.3)]) != nil
        return isNear ? message : message.replacing(match.2, with: "")
    }

    private static func name(of command: any ParsableCommand.Type) -> String {
        command.configuration.commandName ?? "\(command)".lowercased()
    }

    private static func leaves(of command: any ParsableCommand.Type, _ path: [String]) -> [[String]] {
        let subcommands = command.configuration.subcommands
        return subcommands.isEmpty ? [path] : subcommands.flatMap { leaves(of: $0, path + [name(of: $0)]) }
    }
}
