internal import InputFiles

/// Finds and reads the compose files of the working directory, as Docker Compose does without `-f`.
enum ComposeFiles {
    /// The names of the file, in the order of its preference, and of the one that may stand beside it
    /// (`DefaultFileNames` and `DefaultOverrideFileNames` of compose-go).
    private static let names = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"]
    private static let overrideNames = [
        "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml",
        "docker-compose.override.yaml",
    ]

    /// More is no file of settings.
    private static let limit = 1 << 20

    /// Reads the services.
    ///
    /// - Parameter interpolation: Replaces the variables in the names of files.
    /// - Returns: The services with what their `env_file`s hold, in their order, and what isn't looked into; none where
    ///   there is no file, or one in which no MongoDB is mentioned: such a one isn't even looked into, whatever is wrong
    ///   with it.
    /// - Throws: ``Failure``.
    static func services(_ interpolation: Interpolation) async throws -> (all: [ComposeService], unread: [ComposeText])
    {
        guard let main = try await first(names) else { return ([], []) }
        var files = [main]
        if let other = try await first(overrideNames) { files.append(other) }
        guard files.contains(where: { $0.text.lowercased().contains("mongo") }) else { return ([], []) }
        var services: [ComposeService] = []
        var unread: [ComposeText] = []
        for file in files {
            let root = try root(of: file.text, file.name)
            unread += includes(root, file.name)
            for service in try Self.services(root, file.name) {
                if let index = services.firstIndex(where: { $0.name == service.name }) {
                    services[index].merge(service)
                } else {
                    services.append(service)
                }
            }
        }
        extend(&services)
        for index in services.indices {
            let paths = services[index].environmentFiles
            // The last one is the strongest, and what is taken first stays.
            for path in paths.reversed() {
                let name = try path.filled(interpolation, "a path in `env_file`")
                guard let variables = try await Self.variables(in: name, namedBy: path) else {
                    services[index].note(missing: path, name)
                    continue
                }
                services[index].take(variables, from: name)
            }
        }
        return (services, unread + services.flatMap(\.unread))
    }

    /// Gives services what those have that they extend, and those in turn.
    private static func extend(_ services: inout [ComposeService]) {
        for index in services.indices {
            var seen: Set = [services[index].name]
            var next = services[index].base
            while let name = next, seen.insert(name).inserted {
                guard let other = services.first(where: { $0.name == name }) else { break }
                services[index].extend(other)
                next = other.base
            }
        }
    }

    /// What a file takes from others, by `include`.
    private static func includes(_ root: YAMLNode, _ file: String) -> [ComposeText] {
        guard let node = root["include"], !node.isNull else { return [] }
        return [ComposeText(text: "`include`", file: file, line: node.line)]
    }

    /// Reads a file's services.
    ///
    /// - Throws: ``Failure``.
    static func services(in text: String, _ file: String) throws -> [ComposeService] {
        try services(root(of: text, file), file)
    }

    private static func root(of text: String, _ file: String) throws -> YAMLNode {
        do {
            return try YAMLNode(parsing: text)
        } catch {
            throw Failure(.configuration, "The file \(file), \(error).")
        }
    }

    private static func services(_ root: YAMLNode, _ file: String) throws -> [ComposeService] {
        guard let node = root["services"], !node.isNull else { return [] }
        guard let members = node.members else {
            throw Failure(
                .configuration,
                "\(ComposeText.place(file, node.line)): `services` has to be a map, not \(node.kind).")
        }
        return try members.map { try ComposeService($0, in: file) }
    }

    private static func first(_ names: [String]) async throws -> (name: String, text: String)? {
        for name in names {
            do {
                let text = try await InputFile.readText(name, limit: limit)
                return (name: name, text: text)
            } catch {
                if error.kind == .missing { continue }
                throw Failure(.configuration, "The file \(name) can't be read: \(error).")
            }
        }
        return nil
    }

    /// - Returns: nil where it isn't there, as in a fresh clone.
    private static func variables(in name: String, namedBy entry: ComposeText) async throws -> [String: String]? {
        do {
            // A file that is called `-` isn't standard input.
            let path = name.hasPrefix("/") ? name : "./\(name)"
            return DotEnv(try await InputFile.readText(path, limit: limit)).variables
        } catch {
            if error.kind == .missing { return nil }
            throw Failure(.configuration, "\(entry.place): the file \(name) of `env_file` can't be read: \(error).")
        }
    }
}
