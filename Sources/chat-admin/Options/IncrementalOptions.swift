internal import ArgumentParser
internal import Checks

/// Whether a check looks at what has changed alone.
struct IncrementalOptions: ParsableArguments {
    @Flag(
        help: ArgumentHelp(
            "Look at what has changed since the last recorded check alone, and say what that was; at everything where that "
                + "can't be told. --record, or --record-file FILE, keeps what the next one needs."))
    var incremental = false

    @Option(
        help: ArgumentHelp(
            "How much of the whole --incremental looks at besides, part after part from check to check: 0 for none. By "
                + "default 1/24 where changes leave no trace (no replica set), and none where all of them can be told.",
            valueName: "share"))
    var slice: Share?

    func validate() throws {
        if slice != nil, !incremental {
            throw ValidationError("--slice is a part of --incremental; without it everything is looked at.")
        }
    }
}

/// A share of the whole on the command line: `1/24`, or `0`.
struct Share: ExpressibleByArgument {
    /// From 0 to 1.
    let value: Double

    /// How many parts the whole may have.
    private static let mostParts = 10_000

    init?(argument: String) {
        if argument == "0" {
            value = 0
            return
        }
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } }),
            let count = Int(parts[0]), let whole = Int(parts[1]), (1...Self.mostParts).contains(whole),
            (1...whole).contains(count)
        else { return nil }
        value = Double(count) / Double(whole)
    }
}
