internal import MongoDriver

/// Keeps what may be a password out of messages about the command line, and out of records of it.
enum SecretArguments {
    /// Options whose values are never repeated: a password may be given to `--password-file` by mistake.
    private static let options: Set<String> = ["--uri", "--password-file"]

    /// The command line as a run's record keeps it.
    static func recorded(_ arguments: [String]) -> [String] {
        var result: [String] = []
        var hidesNext = false
        for argument in arguments {
            let name = argument.prefix { $0 != "=" }
            if hidesNext {
                result.append("***")
                hidesNext = false
            } else if options.contains(String(name)), name.count < argument.count {
                result.append("\(name)=***")
            } else {
                result.append(Redaction.redact(argument))
                hidesNext = options.contains(argument)
            }
        }
        return result
    }

    /// The parser's message about a command line, without what may be a password.
    ///
    /// It repeats arguments that it doesn't understand. A connection string in the wrong place is one, and so is a password
    /// behind an option that doesn't exist or takes none: of those the number is said, not the text.
    ///
    /// - Parameters:
    ///   - message: The message.
    ///   - arguments: What follows the program's name.
    ///   - shown: How many of the arguments, from the first on, name the command, or are meant to: those are repeated.
    static func hide(in message: String, _ arguments: [String], shown: Int) -> String {
        var message = message
        // A value that an option refuses is said: without it, nobody would find the mistake.
        if !message.contains(" is invalid for '") {
            for (index, argument) in arguments.enumerated() where index >= shown {
                for text in secrets(in: argument) {
                    message = message.replacing("'\(text)'", with: "number \(index + 1) (not shown here)")
                }
            }
        }
        for argument in arguments where argument.contains("@") || argument.contains("://") {
            message = message.replacing(argument, with: "***")
        }
        return Redaction.redact(message)
    }

    /// What of an argument may be a password: a word, what stands behind a `=`, and what is written behind a short option
    /// without a space, as some programs take a password.
    private static func secrets(in argument: String) -> [String] {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if argument.hasPrefix("--") && argument.count > 2 { return Array(parts.dropFirst()) }
        return ([argument] + parts).filter { !$0.hasPrefix("-") || $0.count > 2 }
    }

    /// Whether an argument looks like a password behind a short option: the letters of it are no options, though one of them
    /// may be taken for the one that asks for help.
    static func isShortOptionWithText(_ argument: String) -> Bool {
        argument.hasPrefix("-") && !argument.hasPrefix("--") && argument.dropFirst().contains { !"hqv".contains($0) }
    }
}
