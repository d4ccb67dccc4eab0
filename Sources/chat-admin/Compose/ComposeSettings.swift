internal import InputFiles

/// What the compose files of the working directory say of the application's database: read, not run.
struct ComposeSettings {
    private let services: [ComposeService]
    private let interpolation: Interpolation
    /// The services that set the application's variables; those that only a profile starts where there are no others.
    private let concerned: [ComposeService]
    /// Whether this process is where the services' names are known.
    private var isInNetwork = false

    /// Reads the files.
    ///
    /// - Returns: nil where there is none about MongoDB.
    /// - Throws: ``Failure``.
    static func inFolder(_ interpolation: Interpolation) async throws -> ComposeSettings? {
        let (services, unread) = try await ComposeFiles.services(interpolation)
        guard !services.isEmpty || !unread.isEmpty else { return nil }
        var settings = ComposeSettings(services, interpolation)
        settings.unread = unread.first
        return settings
    }

    /// Something that isn't looked into, and may say where the database is.
    private(set) var unread: ComposeText?

    /// Where the only MongoDB among the services is published, where that isn't where it is looked for by default.
    func onlyServer() throws -> (place: String, address: Address)? {
        let servers = services.filter { $0.isMongoDB && !$0.hasProfiles }
        guard let server = servers.first, servers.count == 1, !server.ports.isEmpty,
            let address = try address(of: server.name, Self.port),
            (address.host, address.port) != ("127.0.0.1", Self.port)
        else { return nil }
        return ("\(ComposeText.place(server.file, server.line)): the service `\(server.name)`", address)
    }

    private static let port = 27_017

    /// Takes services as they were read.
    init(_ services: [ComposeService], _ interpolation: Interpolation) {
        (self.services, self.interpolation) = (services, interpolation)
        let setting = services.filter { service in
            SettingName.application.contains { service.environment.keys.contains($0) }
        }
        let started = setting.filter { !$0.hasProfiles }
        concerned = started.isEmpty ? setting : started
    }

    /// The same for a process in the network of the services: their names are used as they are.
    var reachedByName: ComposeSettings {
        var settings = self
        settings.isInNetwork = true
        return settings
    }

    /// One of the application's variables, without the white space around it; nil where no service sets it, or to nothing.
    ///
    /// - Throws: ``Failure`` where it can't be known: services disagree, it names a variable that isn't set, or it is
    ///   misspelt.
    func variable(_ name: String) throws -> Settings.Value? {
        try found(name).flatMap { $0.text.isEmpty ? nil : $0 }
    }

    /// Whether a variable is set, and to nothing.
    ///
    /// - Throws: ``Failure``, as ``variable(_:)``.
    func isEmpty(_ name: String) throws -> Bool { try found(name)?.text.isEmpty ?? false }

    /// Whether a service sets a variable, to whatever it may be.
    func sets(_ name: String) -> Bool { concerned.contains { $0.environment.keys.contains(name) } }

    /// Whether a host's name is a service's.
    func isService(_ host: String) -> Bool { service(host) != nil }

    /// A variable that isn't read and names a MongoDB all the same.
    var stranger: Settings.Value? {
        for service in services where !service.hasProfiles {
            for (name, text) in service.environment.sorted(by: { $0.key < $1.key }) {
                // Those of mongo-express, a page to look at databases with.
                guard let text, !name.hasPrefix("ME_CONFIG_"), !SettingName.application.contains(name) else { continue }
                let value = (try? text.filled(interpolation, name)) ?? text.text
                guard value.hasPrefix("mongodb://") || value.hasPrefix("mongodb+srv://") else { continue }
                return Settings.Value(text: "", source: "\(name) in \(text.file)", line: text.line)
            }
        }
        return nil
    }

    private func found(_ name: String) throws -> Settings.Value? {
        var first: (service: ComposeService, value: Settings.Value)?
        for service in concerned {
            guard let value = try self.value(name, of: service) else { continue }
            guard let known = first else {
                first = (service, value)
                continue
            }
            guard known.value.text == value.text else {
                throw Failure(
                    .configuration,
                    "The services `\(known.service.name)` and `\(service.name)` set \(name) to different values "
                        + "(\(known.value.place), and \(value.place)). Say which is meant with "
                        + "\(name == "MONGO_DATABASE_NAME" ? "--database" : "--uri"), or set \(name) in .env.")
            }
        }
        if first == nil { try checkSpelling(name) }
        return first?.value
    }

    private func value(_ name: String, of service: ComposeService) throws -> Settings.Value? {
        guard let entry = service.environment[name] else { return nil }
        if let text = entry {
            let value = try text.filled(interpolation, name)
            return Settings.Value(text: value, source: "\(name) in \(text.file)", line: text.line)
        }
        do {
            // A name alone is passed on from where Compose is run.
            return try interpolation.value(of: name).map {
                Settings.Value(text: $0.trimmed, source: "\(name) in \(service.file)", line: service.line)
            }
        } catch let problem as Interpolation.Problem {
            throw Failure(
                .configuration,
                "\(ComposeText.place(service.file, service.line)): \(name) can't be used: \(problem.reason).")
        }
    }

    /// One name wrong among right ones: the others would be taken without it.
    private func checkSpelling(_ name: String) throws {
        for service in concerned {
            for other in service.environment.keys.sorted() where SettingName.applications(meantBy: other) == name {
                throw Failure(
                    .configuration,
                    "\(ComposeText.place(service.file, service.line)): the service `\(service.name)` sets \(other), "
                        + "which isn't read, and no \(name). Write \(name).")
            }
        }
    }

    /// The service that other services know by a name.
    private func service(_ host: String) -> ComposeService? {
        services.first { $0.name == host }
            ?? services.first { service in
                service.aliases.contains { (try? $0.filled(interpolation, "")) == host }
            }
    }
}

extension ComposeSettings {
    /// Where something in a container is to be reached from this machine.
    struct Address: Equatable {
        let host: String
        let port: Int
        /// How it came about, such as `mongo:27017 -> 127.0.0.1:27018 (published port)`.
        let mapping: String

        init(_ name: String, _ target: Int, _ host: String, _ port: Int, _ how: String) {
            (self.host, self.port) = (host, port)
            mapping = "\(name):\(target) -> \(host.contains(":") ? "[\(host)]" : host):\(port) (\(how))"
        }
    }

    /// Where a service's port is to be reached from this machine.
    ///
    /// - Parameters:
    ///   - host: A name that containers use.
    ///   - port: The container's port, or, where that one isn't published, a port of this machine.
    /// - Returns: nil where the name is no service's: then it is used as it is.
    /// - Throws: ``Failure`` where the port can't be reached, or not be known.
    func address(of host: String, _ port: Int) throws -> Address? {
        if isInNetwork { return nil }
        if host == "host.docker.internal" { return Address(host, port, "127.0.0.1", port, "this machine") }
        guard let service = self.service(host) else { return nil }
        if service.isOnHostNetwork { return Address(host, port, "127.0.0.1", port, "the host's network") }
        var isChosen = false
        let ports = try service.ports.map { try self.port($0, of: service) }
        for published in ports {
            switch published.publication(of: port) {
            case .at(let address, let number)?: return Address(host, port, address, number, "published port")
            case .unknown?: isChosen = true
            case nil: break
            }
        }
        let place = ComposeText.place(service.file, service.line)
        if isChosen {
            throw Failure(
                .configuration,
                "\(place): Docker chooses the port at which it publishes \(port) of the service `\(service.name)`. Give it "
                    + "one, such as \"127.0.0.1:\(port):\(port)\", or ask `docker compose port \(service.name) \(port)` "
                    + "and name the server with --uri.")
        }
        if let published = ports.first(where: { $0.isPublished(at: port) }) {
            return Address(host, published.target.lowerBound, published.reachable, port, "published port")
        }
        throw Failure(
            .configuration,
            "\(place): the service `\(service.name)` doesn't publish its port \(port), so it can't be reached from this "
                + "machine. Add \"127.0.0.1:\(port):\(port)\" to its `ports` and start it anew with "
                + "`docker compose up -d`, or name another server with --uri.")
    }

    private func port(_ port: ComposeService.Port, of service: ComposeService) throws -> ComposePort {
        let place: String
        let parsed: ComposePort?
        let what = "a port of the service `\(service.name)`"
        switch port {
        case .short(let text):
            place = text.place
            parsed = ComposePort(try text.filled(interpolation, what))
        case .long(let node, let file):
            let part = { (key: String) throws -> String? in
                guard let member = node[key], let text = member.text else { return nil }
                return try ComposeText(text: text, file: file, line: member.line).filled(interpolation, what)
            }
            place = ComposeText.place(file, node.line)
            parsed = ComposePort(
                target: try part("target") ?? "", published: try part("published"), address: try part("host_ip"),
                protocol: try part("protocol"))
        }
        guard let parsed else {
            throw Failure(
                .configuration,
                "\(place): \(what) can't be understood. Write it as \"127.0.0.1:27018:27017\": address and port of this "
                    + "machine, and the container's port.")
        }
        return parsed
    }
}
