import Foundation
import PackagePlugin

/// Adds an enum `SourceChecksums` to a Swift module: the checksum of each of its source files, computed at build time.
@main
struct SourceChecksums: BuildToolPlugin {
    /// One command over all Swift files of `target`, those that other plugins generate excepted.
    ///
    /// It runs again when a file changes, for they are its inputs, and when one comes or goes, for they are its
    /// arguments. Other targets than Swift modules get no command.
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        guard let module = target as? SwiftSourceModuleTarget else { return [] }
        let sources = module.sourceFiles(withSuffix: ".swift").map(\.url).sorted { $0.path < $1.path }
        let output = context.pluginWorkDirectoryURL.appending(path: "SourceChecksums.swift")
        return [
            .buildCommand(
                displayName: "Computing the checksums of \(module.moduleName)'s source files",
                executable: try context.tool(named: "source-checksums").url,
                arguments: [output.path] + sources.map(\.path),
                inputFiles: sources,
                outputFiles: [output]
            )
        ]
    }
}
