internal import ArgumentParser

/// Whether a check stays.
struct WatchOptions: ParsableArguments {
    @Flag(
        help: ArgumentHelp(
            "Stay, and tell what is new and what is right again, a line for each, until a signal comes. On a replica set it "
                + "follows the stream of changes."))
    var watch = false

    @Option(
        help: ArgumentHelp(
            "How often --watch asks indexes for what is new, where there is no stream of changes; 5 s by default.",
            valueName: "duration"))
    var every: Span?

    /// The usual time between two looks.
    private static let usual = Span(5)

    var interval: Span { every ?? Self.usual }

    func validate() throws {
        guard let every else { return }
        guard watch else { throw ValidationError("--every is a part of --watch; without it there is one look.") }
        guard (0.1...86_400).contains(every.seconds) else {
            throw ValidationError("--every must be between 0.1 and 86,400 seconds.")
        }
    }
}
