import Checksums
import Foundation

/// Writes the checksums of Swift source files into another: `source-checksums OUTPUT.swift [INPUT.swift ...]`.
///
/// Exits with 1 and a sentence on standard error if that isn't possible.
@main
enum SourceChecksumsCommand {
    /// Does what the command line says.
    static func main() {
        do throws(ChecksumError) {
            try run(CommandLine.arguments.dropFirst())
        } catch {
            // The prefix makes the package manager show the sentence as a diagnostic.
            FileHandle.standardError.write(Data("error: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run(_ arguments: ArraySlice<String>) throws(ChecksumError) {
        guard let output = arguments.first else { throw .noOutput }
        try ChecksumTable(files: Array(arguments.dropFirst())).write(to: output)
    }
}
