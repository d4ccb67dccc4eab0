package import MigrationEngine

/// The name of a file of a step, as golang-migrate writes it: `001_create_users.up.json`.
package struct StepFileName: Sendable, Equatable {
    /// The number in front, 0 or more.
    package let version: Int64
    /// What stands between the number and the direction.
    package let title: String
    /// Whether it applies the step or reverts it.
    package let direction: MigrationDirection

    /// Describes a name.
    package init(version: Int64, title: String, direction: MigrationDirection) {
        self.version = version
        self.title = title
        self.direction = direction
    }

    /// Reads a file's name: digits, `_`, a title, `.up` or `.down`, `.json`.
    ///
    /// - Parameter name: The name, without its folder.
    /// - Throws: ``Mismatch`` with the reason in words.
    package init(parsing name: String) throws(Mismatch) {
        guard name.hasSuffix(".json") else { throw Mismatch(reason: "it doesn't end in .json") }
        let stem = name.dropLast(".json".count)
        let direction: MigrationDirection
        if stem.hasSuffix(".up") {
            direction = .up
        } else if stem.hasSuffix(".down") {
            direction = .down
        } else {
            throw Mismatch(reason: "it says neither .up.json nor .down.json")
        }
        let rest = stem.dropLast(direction.rawValue.count + 1)
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty else { throw Mismatch(reason: "it doesn't begin with a version") }
        guard let version = Int64(digits) else { throw Mismatch(reason: "its version is larger than \(Int64.max)") }
        guard rest.dropFirst(digits.count).first == "_" else {
            throw Mismatch(reason: "there is no _ behind its version")
        }
        self.init(version: version, title: String(rest.dropFirst(digits.count + 1)), direction: direction)
    }

    /// Whether golang-migrate takes a file for a step, by its name: digits, `_`, `.up.` or `.down.`, and anything behind it.
    package static func looksLikeStep(_ name: String) -> Bool {
        let rest = name.drop { $0.isASCII && $0.isNumber }
        guard rest.count < name.count, rest.first == "_" else { return false }
        return [".up.", ".down."].contains { rest.contains($0) }
    }

    /// The file's name.
    ///
    /// - Parameter width: The least number of digits of the version.
    package func text(width: Int = StepFileName.defaultWidth) -> String {
        let digits = String(version)
        let zeros = String(repeating: "0", count: max(width - digits.count, 0))
        return "\(zeros)\(digits)_\(title).\(direction.rawValue).json"
    }

    /// Three digits, as in golang-migrate's documentation.
    package static let defaultWidth = 3

    /// Why a name isn't that of a step's file.
    package struct Mismatch: Error, Equatable {
        /// In words.
        package let reason: String
    }
}
