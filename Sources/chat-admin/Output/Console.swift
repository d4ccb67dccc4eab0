internal import Dispatch
internal import FoundationEssentials
internal import Glibc
internal import Journal
internal import Synchronization

/// Standard output for results, standard error for everything else.
///
/// What is printed may hold text from a database, a file, an argument or a server. Everything goes out by lines, each of
/// which ``PlainText`` makes harmless first: a line break comes from this tool alone.
///
/// How far a command is stands in one line (``ProgressLine``), which gives way to everything else.
final class Console: Sendable {
    private struct State {
        var hasResult = false
        var place: Place?
    }

    let isQuiet: Bool
    let usesColor: Bool
    private let isVerbose: Bool
    /// What advice is put into words with.
    let words: AdviceWords
    private let errorIsTerminal: Bool
    private let line: ProgressLine
    private let state = Mutex(State())

    init(isQuiet: Bool, isVerbose: Bool = false, noColor: Bool, words: AdviceWords = AdviceWords()) {
        self.words = words
        self.isQuiet = isQuiet
        self.isVerbose = isVerbose
        let environment = ProcessInfo.processInfo.environment
        // A terminal that is called dumb, or nothing, takes no escape sequences (terminfo(5)); https://no-color.org wants
        // NO_COLOR to be heeded where it isn't empty.
        let isDumb = ["dumb", ""].contains(environment["TERM"] ?? "")
        let errorIsTerminal = isatty(STDERR_FILENO) == 1
        self.errorIsTerminal = errorIsTerminal
        usesColor =
            !noColor && !isDumb && isatty(STDOUT_FILENO) == 1 && (environment["NO_COLOR"] ?? "").isEmpty
        line = ProgressLine(redraws: errorIsTerminal && !isDumb, words: words) {
            errorIsTerminal ? Self.width(of: STDERR_FILENO) ?? 80 : nil
        } write: {
            // Progress is worth nothing to nobody: a closed standard error is no reason to stop.
            try? Self.write($0, to: STDERR_FILENO)
        }
    }

    /// How many columns a line of a result may have: as many as the terminal has, or COLUMNS says, or 80.
    var width: Int { Self.width(of: STDOUT_FILENO) ?? Self.environmentWidth ?? 80 }

    /// How many columns the terminal of standard error has; nil where it is none.
    private var errorWidth: Int? { errorIsTerminal ? Self.width(of: STDERR_FILENO) ?? 80 : nil }

    private static func width(of descriptor: Int32) -> Int? {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return max(Int(size.ws_col), narrowest)
    }

    private static var environmentWidth: Int? {
        ProcessInfo.processInfo.environment["COLUMNS"].flatMap { Int($0) }.map { max($0, narrowest) }
    }

    /// With less no sentence can be read.
    private static let narrowest = 40

    /// Whether somebody can be asked.
    var canAsk: Bool { isatty(STDIN_FILENO) == 1 && errorIsTerminal }

    /// Prints a result for people, unless one was printed.
    ///
    /// - Parameter width: Where lines are broken; nil leaves them as they are.
    /// - Throws: ``Failure`` when standard output is closed or full: a result that nobody got isn't a success.
    func result(_ lines: [String], width: Int?) throws {
        let lines = width.map { width in lines.flatMap { Wrapped.line($0, width: width) } } ?? lines
        try print(lines.map(PlainText.line).joined(separator: "\n"))
    }

    /// Prints a result for machines, unless one was printed.
    ///
    /// - Throws: ``Failure``, as for people; an encoding error.
    func result(json value: some Encodable) throws {
        try print(try json(value))
    }

    /// Prints one of many results, on a line of its own.
    ///
    /// - Throws: ``Failure``, as for people; an encoding error.
    func printLine(_ result: some CommandResult, _ format: OutputFormat) throws {
        line.clear()
        let lines =
            switch format {
            case .text: result.lines(TextStyle(usesColor: usesColor)).map(PlainText.line)
            case .json: [try json(result)]
            }
        try Self.write(lines.map { $0 + "\n" }.joined(), to: STDOUT_FILENO)
    }

    /// Prints a result that is a file of its own kind, as it is.
    ///
    /// - Throws: ``Failure``, as for people.
    func result(raw text: String) throws { try print(text) }

    /// Prints a part of a long text, as it is.
    ///
    /// - Throws: ``Failure``, as for people.
    func pass(_ bytes: ArraySlice<UInt8>) throws {
        line.clear()
        try Self.write(bytes, to: STDOUT_FILENO)
    }

    /// A result as it is printed for machines.
    ///
    /// - Throws: An encoding error.
    func json(_ value: some Encodable) throws -> String { try JSON.text(Placed(result: value, server: place)) }

    /// The server and the database, once they are known.
    var place: Place? { state.withLock { $0.place } }

    /// Says where a command is going to work, before it does, and keeps that for its result.
    func begin(at place: Place) {
        state.withLock { $0.place = place }
        remark(place.line)
    }

    /// Keeps what the server said of itself.
    func note(version: String, topology: String) {
        state.withLock { state in
            state.place?.version = version
            state.place?.topology = topology
        }
    }

    /// Whoever ends the command at its deadline prints what there is by then, and the command itself nothing more.
    private func print(_ text: String) throws {
        let isFirst = state.withLock { state in
            defer { state.hasResult = true }
            return !state.hasResult
        }
        guard isFirst else { return }
        line.hold()
        try Self.write(text + "\n", to: STDOUT_FILENO)
    }

    /// Prints a remark, unless the user wants quiet.
    func remark(_ text: String) { if !isQuiet { error(text) } }

    /// Prints an error, always. Where standard error is closed there is nobody to tell.
    func error(_ text: String) { error([text]) }

    /// Prints an error of several lines.
    func error(_ lines: [String]) {
        line.clear()
        let lines = errorWidth.map { width in lines.flatMap { Wrapped.line($0, width: width) } } ?? lines
        try? Self.write(lines.map { PlainText.line($0) + "\n" }.joined(), to: STDERR_FILENO)
    }

    /// Asks on standard error and reads a line.
    ///
    /// - Returns: The answer, or nil at the end of the input.
    /// - Throws: `EngineError.interrupted` when a signal comes while the user thinks.
    func ask(_ question: String, _ interruption: Interruption) async throws -> String? {
        try await waiting { try Self.answer(to: question, on: STDERR_FILENO, interruption)?.trimmed }
    }

    /// Whether a person is at standard input, who can type a password.
    var canAskSecretly: Bool { isatty(STDIN_FILENO) == 1 }

    /// Asks for something that the terminal doesn't show while it is typed.
    ///
    /// - Returns: and - Throws: as ``ask(_:_:)``.
    func askSecretly(_ question: String, _ interruption: Interruption) async throws -> String? {
        try await waiting {
            // The question is for the person, wherever standard error goes.
            let terminal = open("/dev/tty", O_WRONLY | O_CLOEXEC)
            defer { if terminal >= 0 { close(terminal) } }
            let output = terminal >= 0 ? terminal : STDERR_FILENO
            return try Self.withoutEcho(on: output) { try Self.answer(to: question, on: output, interruption) }
        }
    }

    /// Waits for a person, on a queue of its own and without a line of progress.
    private func waiting(_ body: @escaping @Sendable () throws -> String?) async throws -> String? {
        line.hold()
        defer { line.release() }
        return try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result(catching: body)) }
        }
    }

    /// How the terminal shows what is typed, while it doesn't.
    private static let shown = Mutex<termios?>(nil)

    /// Lets the terminal show what is typed again, if it doesn't: for whoever ends the process in the middle of a question.
    static func showTyping() {
        shown.withLock { shown in
            guard var settings = shown else { return }
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
            shown = nil
        }
    }

    /// Keeps the terminal from showing what is typed, and from stopping this process meanwhile: whoever brings it back would
    /// see it (termios(3)).
    private static func withoutEcho<R>(on output: Int32, _ body: () throws -> R) throws -> R {
        var shown = termios()
        guard tcgetattr(STDIN_FILENO, &shown) == 0 else { return try body() }
        var hidden = shown
        hidden.c_lflag &= ~tcflag_t(ECHO)
        // Zero disables a key (_POSIX_VDISABLE).
        withUnsafeMutableBytes(of: &hidden.c_cc) { characters in
            for key in [VSUSP, VQUIT] { characters[Int(key)] = 0 }
        }
        Self.shown.withLock { $0 = shown }
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
        defer {
            Self.showTyping()
            // The line break that was typed wasn't shown.
            try? write("\n", to: output)
        }
        return try body()
    }

    private static func answer(to question: String, on output: Int32, _ interruption: Interruption) throws -> String? {
        try? write(PlainText.line(question), to: output)
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1024)
        do {
            while true {
                var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
                // A tenth of a second at a time, so that a signal is noticed.
                while poll(&input, 1, 100) <= 0 { try interruption.check() }
                let count = read(STDIN_FILENO, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                answer += buffer[..<count]
                // Without one, the end of the input was typed behind some text: it goes on.
                if answer.last == UInt8(ascii: "\n") { return String(decoding: answer.dropLast(), as: UTF8.self) }
            }
        } catch {
            try? write("\n", to: output)
            throw error
        }
        try? write("\n", to: output)
        return answer.isEmpty ? nil : String(decoding: answer, as: UTF8.self)
    }

    /// Shows how far an operation has come.
    func progress(_ progress: ProgressUpdate) {
        guard !isQuiet else { return }
        guard progress.isNote else { return line.report(progress) }
        if isVerbose { error(progress.what) }
    }

    /// Shows where in a longer work the command is, such as `step 2 of 6 (repair-ids)`.
    func enter(stage: String) { if !isQuiet { line.enter(stage: stage) } }

    /// Shows no progress any more.
    func endProgress() { line.hold() }

    /// Takes the line of progress away, for somebody else to write to standard error.
    func clearProgress() { line.clear() }

    private static func write(_ text: String, to descriptor: Int32) throws {
        try write(Array(text.utf8)[...], to: descriptor)
    }

    private static func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                // Whoever shares the terminal or the pipe has made it one that doesn't wait.
                var output = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&output, 1, -1)
            } else if errno != EINTR {
                throw Failure(.localIO, "The output couldn't be written: \(String(cString: strerror(errno)))")
            }
        }
    }
}
