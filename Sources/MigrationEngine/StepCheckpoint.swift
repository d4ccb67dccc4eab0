package import BSON
package import Journal

/// How far a step's file has been run, as the ledger keeps it.
package struct StepCheckpoint {
    package let direction: MigrationDirection
    /// The index of the command to resume with.
    package let position: Int
    /// Of the commands in front of it.
    package let digest: String
    /// Of that command; nil behind the last one.
    package let command: String?
    /// Present while that command, which the journal can't resolve, may have been run: what it found.
    package let begun: BSONDocument?
    /// What the commands in front of it have changed and left.
    let figures: StepTotals.Figures

    package init(
        direction: MigrationDirection, position: Int, digest: String, command: String?, begun: BSONDocument?,
        figures: StepTotals.Figures
    ) {
        self.direction = direction
        self.position = position
        self.digest = digest
        self.command = command
        self.begun = begun
        self.figures = figures
    }

    package init?(_ document: BSONDocument) {
        guard let direction = document["direction"]?.string.flatMap(MigrationDirection.init(rawValue:)),
            let position = document["position"]?.integer, let digest = document["digest"]?.string
        else { return nil }
        self.init(
            direction: direction, position: Int(position), digest: digest, command: document["command"]?.string,
            begun: document["begun"]?.document,
            figures: StepTotals.Figures(
                changes: Change.list(document["changes"]), leftovers: Leftover.list(document["left"])))
    }

    package var document: BSONDocument {
        var document: BSONDocument = [
            "direction": .string(direction.rawValue), "position": .int64(Int64(position)), "digest": .string(digest),
        ]
        if let command { document.append("command", .string(command)) }
        if let begun { document.append("begun", .document(begun)) }
        if !figures.changes.isEmpty {
            document.append("changes", .array(BSONArray(figures.changes.map(\.bson))))
        }
        if !figures.leftovers.isEmpty {
            document.append("left", .array(BSONArray(figures.leftovers.map { $0.bson() })))
        }
        return document
    }

    /// More than the statements that one command of the server may have (100,000).
    private static let statements: Int64 = 1 << 20

    /// The numbers that the journal's entries of a command have, one for each of its statements.
    package static func numbers(ofCommand index: Int) -> Range<Int64> {
        Int64(index) * statements..<Int64(index + 1) * statements
    }
}
