internal import ArgumentParser

/// A length of time on the command line: seconds (`90`, `0.5`), or numbers with units (`90s`, `5m`, `1h30m`, `2d`).
struct Span: ExpressibleByArgument, CustomStringConvertible {
    let seconds: Double
    /// Whether it was given as a number alone.
    private(set) var isBare = false

    /// As libraries take it.
    var duration: Duration { .seconds(seconds) }

    init(_ seconds: Double) { self.seconds = seconds }

    init?(argument: String) {
        if let seconds = Double(argument), seconds.isFinite {
            self.seconds = seconds
            isBare = true
            return
        }
        let units: [(name: Character, seconds: Double)] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)]
        var rest = argument[...]
        var total = 0.0
        var allowed = units[...]
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(digits.count)
            // Each unit once, the larger first.
            guard let number = Double(digits), number.isFinite, let unit = rest.popFirst(),
                let position = allowed.firstIndex(where: { $0.name == unit })
            else { return nil }
            total += number * units[position].seconds
            allowed = allowed[(position + 1)...]
        }
        guard !argument.isEmpty, total.isFinite else { return nil }
        seconds = total
    }

    /// As it can be given: `90d` for whole days, else a number of seconds.
    var description: String {
        let days = seconds / 86_400
        if days >= 1, days == days.rounded(), days < 1e9 { return "\(Int(days))d" }
        return seconds == seconds.rounded() && abs(seconds) < 1e15 ? "\(Int(seconds))" : "\(seconds)"
    }
}
