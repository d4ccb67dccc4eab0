/// Finds the name that somebody meant.
package enum NearestName {
    /// The name nearest to a misspelt one, or nil where none is near.
    ///
    /// - Parameters:
    ///   - name: The name as it was written.
    ///   - names: The names there are; the first of two that are as near wins.
    /// - Returns: The one that the fewest edits lead to, at most a third of its letters, and always one.
    package static func of(_ name: String, among names: [String]) -> String? {
        let wanted = Array(name.lowercased().utf8.prefix(longest))
        let near = names.map { ($0, distance(wanted, Array($0.lowercased().utf8))) }.filter {
            $0.1 <= max(1, $0.0.utf8.count / 3)
        }
        return near.min { $0.1 < $1.1 }?.0
    }

    /// Longer names are cut: the time grows with the square.
    private static let longest = 100

    /// How many letters have to be put in, left out, replaced or exchanged with their neighbour: optimal string alignment.
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var before: [Int] = []
        var last = Array(0...b.count)
        for (i, letter) in a.enumerated() {
            var row = [i + 1]
            for (j, other) in b.enumerated() {
                var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (letter == other ? 0 : 1))
                if i > 0, j > 0, letter == b[j - 1], a[i - 1] == other { best = min(best, before[j - 1] + 1) }
                row.append(best)
            }
            (before, last) = (last, row)
        }
        return last[b.count]
    }
}
