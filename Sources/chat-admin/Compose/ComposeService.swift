internal import InputFiles

/// A service of a compose file, so far as it says where a database is.
struct ComposeService {
    /// A port as it is written.
    enum Port {
        case short(ComposeText)
        case long(YAMLNode, file: String)
    }

    let name: String
    let file: String
    /// Where it stands in its file, counted from 1.
    let line: Int
    /// The variables; nil for one that is passed on from the environment that Compose runs in.
    private(set) var environment: [String: ComposeText?] = [:]
    /// The files with more of them, the strongest last.
    private(set) var environmentFiles: [ComposeText] = []
    private(set) var ports: [Port] = []
    /// Other names that it has for other services.
    private(set) var aliases: [ComposeText] = []
    /// What it is made of that isn't looked into, such as `extends` from another file.
    private(set) var unread: [ComposeText] = []
    /// The service of the same file that it begins as.
    private(set) var base: String?
    /// The program that it runs, if it is said.
    private(set) var image: String?
    /// Whether it is started only where a profile is asked for.
    private(set) var hasProfiles = false
    /// Whether it has this machine's ports for its own.
    private(set) var isOnHostNetwork = false

    /// Reads a member of `services`.
    ///
    /// - Throws: ``Failure`` where it is of another shape.
    init(_ member: YAMLNode.Member, in file: String) throws {
        (name, self.file, line) = (member.key, file, member.line)
        let node = member.node
        guard node.members != nil || node.isNull else {
            throw Self.failure(file, node.line, "the service `\(name)` has to be a map, not \(node.kind)")
        }
        environment = try Self.environment(node["environment"], of: name, file)
        environmentFiles = try Self.environmentFiles(node["env_file"], of: name, file)
        ports = try Self.ports(node["ports"], of: name, file)
        aliases = Self.aliases(node, file)
        image = node["image"]?.text
        if let extended = node["extends"], !extended.isNull {
            base = extended.text ?? (extended["file"] == nil ? extended["service"]?.text : nil)
            if base == nil {
                unread.append(ComposeText(text: "`extends` of the service `\(name)`", file: file, line: extended.line))
            }
        }
        hasProfiles = node["profiles"]?.items?.isEmpty == false
        isOnHostNetwork = node["network_mode"]?.text == "host"
    }

    /// Takes what another file says of the same service, as Compose merges files
    /// (https://docs.docker.com/reference/compose-file/merge/).
    mutating func merge(_ other: ComposeService) {
        environment.merge(other.environment) { $1 }
        environmentFiles += other.environmentFiles
        ports = other.ports + ports
        aliases += other.aliases
        unread += other.unread
        base = other.base ?? base
        image = other.image ?? image
        hasProfiles = hasProfiles || other.hasProfiles
        isOnHostNetwork = isOnHostNetwork || other.isOnHostNetwork
    }

    /// Takes what it doesn't say itself from the service that it extends
    /// (https://docs.docker.com/reference/compose-file/services/#extends).
    mutating func extend(_ other: ComposeService) {
        environment.merge(other.environment) { own, _ in own }
        environmentFiles = other.environmentFiles + environmentFiles
        ports += other.ports
        unread += other.unread
        image = image ?? other.image
    }

    /// Notes that a file of variables isn't there.
    mutating func note(missing file: ComposeText, _ name: String) {
        unread.append(
            ComposeText(text: "the file \(name) of `env_file`, which isn't there", file: file.file, line: file.line))
    }

    /// Whether it looks like a MongoDB server.
    var isMongoDB: Bool {
        guard let image else { return false }
        let name = image.split(separator: "/").last?.prefix { $0 != ":" && $0 != "@" } ?? ""
        return ["mongo", "mongodb", "mongodb-community-server", "mongodb-enterprise-server", "percona-server-mongodb"]
            .contains(String(name))
    }

    /// Takes variables of a file that `env_file` names: they are weaker than its own.
    mutating func take(_ variables: [String: String], from file: String) {
        for (name, value) in variables where !environment.keys.contains(name) {
            environment[name] = .some(ComposeText(text: value, file: file, line: nil, isLiteral: !value.contains("${")))
        }
    }

    private static func failure(_ file: String, _ line: Int, _ reason: String) -> Failure {
        Failure(.configuration, "\(ComposeText.place(file, line)): \(reason).")
    }

    /// A map, or a list of `KEY=value`.
    private static func environment(
        _ node: YAMLNode?, of service: String, _ file: String
    ) throws -> [String: ComposeText?] {
        var variables: [String: ComposeText?] = [:]
        switch node?.value {
        case nil, .null?: break
        case .map(let members)?:
            for member in members {
                guard member.node.text != nil || member.node.isNull else {
                    throw failure(file, member.line, "`\(member.key)` has to be text, not \(member.node.kind)")
                }
                let text = member.node.text.map { ComposeText(text: $0, file: file, line: member.line) }
                variables.updateValue(text, forKey: member.key)
            }
        case .list(let items)?:
            for item in items {
                guard let text = item.text else {
                    throw failure(
                        file, item.line,
                        "in a list, `environment` of the service `\(service)` wants `NAME=value`, not \(item.kind)")
                }
                let name = String(text.prefix { $0 != "=" })
                let value = text.dropFirst(name.count)
                variables.updateValue(
                    value.isEmpty
                        ? nil : ComposeText(text: String(value.dropFirst()), file: file, line: item.line),
                    forKey: name.trimmed)
            }
        case .text?:
            throw failure(
                file, node?.line ?? 1,
                "`environment` of the service `\(service)` has to be a map, such as `NAME: value`, or a list of "
                    + "`NAME=value`")
        }
        return variables
    }

    /// A path, or a list of paths, or of maps with one.
    private static func environmentFiles(
        _ node: YAMLNode?, of service: String, _ file: String
    ) throws -> [ComposeText] {
        guard let node, !node.isNull else { return [] }
        return try (node.items ?? [node]).map { item -> ComposeText in
            guard let path = item.text ?? item["path"]?.text else {
                throw failure(
                    file, item.line, "`env_file` of the service `\(service)` has to be a path, or a list of paths")
            }
            return ComposeText(text: path, file: file, line: item.line)
        }
    }

    private static func ports(_ node: YAMLNode?, of service: String, _ file: String) throws -> [Port] {
        guard let node, !node.isNull else { return [] }
        guard let items = node.items else {
            throw failure(file, node.line, "`ports` of the service `\(service)` has to be a list, not \(node.kind)")
        }
        return try items.map { item -> Port in
            if let text = item.text { return .short(ComposeText(text: text, file: file, line: item.line)) }
            guard item.members != nil else {
                throw failure(
                    file, item.line,
                    "a port of the service `\(service)` has to be text, such as \"27018:27017\", not \(item.kind)")
            }
            return .long(item, file: file)
        }
    }

    /// `container_name`, and the aliases that it has in networks.
    private static func aliases(_ node: YAMLNode, _ file: String) -> [ComposeText] {
        let networks = node["networks"]?.members ?? []
        let nodes =
            [node["container_name"]].compactMap { $0 } + networks.flatMap { $0.node["aliases"]?.items ?? [] }
        return nodes.compactMap { node in
            node.text.map { ComposeText(text: $0, file: file, line: node.line) }
        }
    }
}
