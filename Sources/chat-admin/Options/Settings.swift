internal import FoundationEssentials
internal import InputFiles

/// What the environment, the application's `.env` and `chat-admin.yaml` say. What can't be understood is refused, never
/// passed over: the server of a default would be taken without a word.
struct Settings {
    /// A value, and where it was found.
    struct Value {
        let text: String
        /// For sentences: a variable with its file, or a key of the YAML file.
        let source: String
        /// Where it stands in its file, counted from 1; nil where that isn't known.
        var line: Int?

        /// The source with the line.
        var place: String { source + (line.map { ", line \($0)" } ?? "") }
    }

    private var variables: [String: Value] = [:]
    private var keys: [String: Value] = [:]
    /// A variable that isn't read and names a MongoDB all the same.
    private(set) var stranger: Value?
    /// The application's variables that `.env` doesn't set, but another one that is perhaps meant: a mistake, unless a
    /// compose file sets them with it.
    private(set) var misspelt: [(known: String, failure: Failure)] = []
    /// Those that the environment itself sets.
    private var environmentNames: Set<String> = []
    /// Replaces variables as Docker Compose would do it here.
    let interpolation: Interpolation

    private static let configurationFile = "chat-admin.yaml"
    /// More is no file of settings.
    private static let limit = 1 << 20

    /// Reads the sources.
    ///
    /// - Parameter file: The file of variables that the user names; nil takes `.env` if it is there.
    /// - Throws: ``Failure``.
    init(
        file: String?, environment: [String: String] = ProcessInfo.processInfo.environment
    ) async throws {
        let dotEnv = try await Self.dotEnv(file)
        interpolation = Interpolation(environment: environment, dotEnv: dotEnv?.variables ?? [:])
        if let dotEnv {
            let name = file ?? ".env"
            try take(dotEnv.variables, from: " in \(name)")
            try check(dotEnv, name, isNamed: file != nil)
        }
        let chosen = environment.filter { !SettingName.isInjected($0.key, $0.value) }
        environmentNames = Set(chosen.filter { !$0.value.trimmed.isEmpty }.keys)
        try take(chosen, from: "")
        try await readYAML()
    }

    /// A variable's value without the white space around it; nil where that is empty.
    func variable(_ name: String) -> Value? { variables[name].flatMap { $0.text.isEmpty ? nil : $0 } }

    /// Whether a variable is set, to something or to nothing.
    func isSet(_ name: String) -> Bool { variables[name] != nil }

    /// Whether a compose file may say which server is meant: nothing stronger does, or `.env` names a host that may be a
    /// service. What the environment says is meant for this process, and taken as it is.
    var leavesServerOpen: Bool {
        guard variable("CHAT_ADMIN_URI") == nil, environmentNames.isDisjoint(with: ["MONGO_HOST", "MONGO_PORT"]) else {
            return false
        }
        guard let host = variable("MONGO_HOST")?.text else { return true }
        return host.lowercased() != "localhost" && !host.contains { $0 == "." || $0 == ":" }
    }

    /// A key's value in `chat-admin.yaml`.
    func key(_ name: String) -> Value? { keys[name] }

    private mutating func take(_ found: [String: String], from place: String) throws {
        for (name, value) in found.sorted(by: { $0.key < $1.key }) {
            if let reason = SettingName.objection(to: name) {
                throw Failure(.configuration, "The variable \(name)\(place) \(reason)")
            }
            let text = value.trimmed
            if SettingName.variables.contains(name) {
                variables[name] = Value(text: text, source: name + place)
            } else if text.hasPrefix("mongodb://") || text.hasPrefix("mongodb+srv://") {
                stranger = Value(text: "", source: name + place)
            }
        }
    }

    private static func dotEnv(_ file: String?) async throws -> DotEnv? {
        let name = file ?? ".env"
        do {
            return DotEnv(try await InputFile.readText(name, limit: limit))
        } catch {
            if file == nil && error.kind == .missing { return nil }
            throw Failure(.configuration, "The file \(name) can't be read: \(error).")
        }
    }

    /// Other lines are the application's own business.
    private mutating func check(_ dotEnv: DotEnv, _ name: String, isNamed: Bool) throws {
        if let line = dotEnv.malformed.first(where: { SettingName.variables.contains($0.name) }) {
            throw Failure(
                .configuration,
                "The file \(name), line \(line.line): the value of \(line.name) can't be understood. "
                    + "Put it into single quotes, and close them.")
        }
        // Who writes YAML's colon into it has named a server, and would get another one.
        if let line = dotEnv.malformed.first(where: { line in
            line.name.hasSuffix(":") && SettingName.variables.contains(line.name.dropLast().uppercased())
        }) {
            let known = line.name.dropLast().uppercased()
            throw Failure(.configuration, "The file \(name), line \(line.line): write \(known)=… instead of a colon.")
        }
        // One name wrong among right ones: the others would be taken without it.
        if dotEnv.variables.keys.contains(where: SettingName.variables.contains) {
            for other in dotEnv.variables.keys.sorted() {
                guard let known = SettingName.applications(meantBy: other), dotEnv.variables[known] == nil else {
                    continue
                }
                let words = "The file \(name) sets \(other), which isn't read, and no \(known). Write \(known)."
                misspelt.append((known, Failure(.configuration, words)))
            }
        }
        for variable in dotEnv.variables where SettingName.variables.contains(variable.key) {
            guard variable.value.contains("${") else { continue }
            throw Failure(
                .configuration,
                "The file \(name): \(variable.key) names another variable with ${…}, which isn't "
                    + "replaced here. Write the value itself.")
        }
        guard isNamed, !dotEnv.variables.keys.contains(where: SettingName.variables.contains) else { return }
        let near =
            dotEnv.variables.keys.sorted().lazy.compactMap { name in
                SettingName.nearest(to: name).map { "`\(name)` is perhaps meant as \($0). " }
            }.first ?? ""
        throw Failure(
            .configuration,
            "The file \(name) sets none of the variables that are read. \(near)"
                + "They are \(SettingName.variables.joined(separator: ", ")).")
    }

    private mutating func readYAML() async throws {
        let name = Self.configurationFile
        let entries: [FlatYAML.Entry]
        do {
            entries = try FlatYAML.entries(in: await InputFile.readText(name, limit: Self.limit))
        } catch let error as InputFile.Failure {
            if error.kind == .missing { return }
            throw Failure(.configuration, "The file \(name) can't be read: \(error).")
        } catch {
            throw Failure(.configuration, "The file \(name), \(error).")
        }
        for entry in entries {
            guard SettingName.keys.contains(entry.key) else {
                let near = SettingName.nearestKey(to: entry.key).map { " Write `\($0)`." } ?? ""
                throw Failure(
                    .configuration,
                    "The file \(name), line \(entry.line): the key `\(entry.key)` isn't known.\(near) Known "
                        + "are \(Readable.list(SettingName.keys.map { "`\($0)`" })).")
            }
            guard let text = entry.value?.trimmed, !text.isEmpty else { continue }
            keys[entry.key] = Value(text: text, source: "`\(entry.key)` in \(name)")
        }
    }
}

extension String {
    /// The text without the white space around it, line breaks included.
    var trimmed: String {
        var text = self[...]
        let isOutside = { (character: Character) in character.isWhitespace || character == "\u{FEFF}" }
        text = text.drop(while: isOutside)
        while let last = text.last, isOutside(last) { text.removeLast() }
        return String(text)
    }
}
