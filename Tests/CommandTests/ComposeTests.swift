import Testing

@testable import chat_admin

@Suite("Variables in a compose file")
struct InterpolationTests {
    private static let interpolation = Interpolation(
        environment: ["A": "1", "EMPTY": ""], dotEnv: ["A": "0", "D": "2", "CHAIN": "x${A}"])

    static let replaced: [(String, String)] = [
        ("", ""), ("$A", "1"), ("${A}", "1"), ("$A$D.", "12."), ("mongo:${D}", "mongo:2"), ("a$$b", "a$b"),
        ("$$A $${A}", "$A ${A}"), ("$", "$"), ("$1 $-", "$1 $-"), ("${EMPTY}|$EMPTY", "|"), ("${EMPTY:-x}", "x"),
        ("${EMPTY-x}", ""), ("${NONE-x}", "x"), ("${NONE:-}", ""), ("${NONE:-a:b-c}", "a:b-c"),
        ("${NONE:-${A}}", "1"), ("${NONE:-${NONE:-y}}z", "yz"), ("${A:+z}", "z"), ("${EMPTY:+z}", ""),
        ("${EMPTY+z}", "z"), ("${NONE+$NONE}", ""), ("${A:?x}", "1"), ("${EMPTY?x}", ""),
        ("mongodb://${NONE:-mongo}:${D:-27017}/", "mongodb://mongo:2/"),
    ]

    @Test("are replaced as Docker Compose does", arguments: replaced)
    func replaces(text: String, result: String) throws { #expect(try Self.interpolation.text(text) == result) }

    static let refused: [(String, String)] = [
        ("${NONE}", "NONE is set neither in the environment nor in .env"), ("x$NONE", "NONE is set neither"),
        ("${NONE:?tell us}", "NONE has to be set, in the environment or in .env (tell us)"),
        ("${EMPTY:?}", "EMPTY has to be set"), ("${NONE:-${OTHER}}", "OTHER is set neither"), ("${A", "isn't closed"),
        ("${}", "names no variable"), ("${1}", "names no variable"), ("${A/x/y}", "isn't of a form"),
        ("${A:}", "isn't of a form"), ("${A:=x}", "isn't of a form"), ("$CHAIN", "CHAIN names another one in .env"),
        (String(repeating: "${NONE:-", count: 40) + String(repeating: "}", count: 40), "nested too deeply"),
    ]

    @Test("are refused where they aren't set, or not understood", arguments: refused)
    func refuses(text: String, words: String) {
        let problem = #expect(throws: Interpolation.Problem.self) { try Self.interpolation.text(text) }
        #expect(problem?.reason.contains(words) == true, "\(String(describing: problem))")
    }
}

@Suite("Ports of a compose file")
struct ComposePortTests {
    /// Where 27017 is published: an address with its port, "chosen" by Docker, or nil for nowhere.
    static let published: [(String, String?)] = [
        ("27017:27017", "127.0.0.1:27017"), ("27018:27017", "127.0.0.1:27018"), ("27018:27017/tcp", "127.0.0.1:27018"),
        ("127.0.0.1:27018:27017", "127.0.0.1:27018"), ("0.0.0.0:27018:27017", "127.0.0.1:27018"),
        ("192.168.1.5:27018:27017", "192.168.1.5:27018"), ("[::1]:27018:27017", "::1:27018"),
        ("[::]:27018:27017", "127.0.0.1:27018"), ("27017", "chosen"), ("27017/tcp", "chosen"), ("0:27017", "chosen"),
        ("127.0.0.1::27017", "chosen"), ("30000-30009:27017", "chosen"), ("27016-27019", "chosen"),
        ("30000-30002:27016-27018", "127.0.0.1:30001"), ("27018:27017/udp", nil), ("8000:8000", nil), ("8000", nil),
    ]

    @Test("are read in their short form", arguments: published)
    func short(text: String, place: String?) throws {
        let port = try #require(ComposePort(text))
        #expect(Self.words(port.publication(of: 27_017)) == place)
    }

    @Test(
        "are refused where they aren't ports",
        arguments: [
            "", "mongo", "27018:", ":", "70000:27017", "0", "27018:27017/x", "9-8:27017", "1:2:3:x", "-1:27017",
        ])
    func refused(text: String) { #expect(ComposePort(text) == nil) }

    @Test("are read in their long form")
    func long() throws {
        let port = try #require(
            ComposePort(target: "27017", published: "27018", address: "127.0.0.1", protocol: "tcp"))
        #expect(Self.words(port.publication(of: 27_017)) == "127.0.0.1:27018")
        let chosen = try #require(ComposePort(target: "27017", published: nil, address: nil, protocol: nil))
        #expect(Self.words(chosen.publication(of: 27_017)) == "chosen")
        let other = try #require(ComposePort(target: "27017", published: "27018", address: nil, protocol: "udp"))
        #expect(other.publication(of: 27_017) == nil)
        #expect(ComposePort(target: "", published: "27018", address: nil, protocol: nil) == nil)
    }

    private static func words(_ publication: ComposePort.Publication?) -> String? {
        switch publication {
        case .at(let address, let port)?: "\(address):\(port)"
        case .unknown?: "chosen"
        case nil: nil
        }
    }
}

@Suite("What a compose file says of the database")
struct ComposeSettingsTests {
    private func settings(_ text: String, _ environment: [String: String] = [:]) throws -> ComposeSettings {
        ComposeSettings(
            try ComposeFiles.services(in: text, "compose.yaml"), Interpolation(environment: environment, dotEnv: [:]))
    }

    @Test("is found in a list, a map, what was merged, and what is passed on")
    func forms() throws {
        for environment in [
            "[MONGO_HOST=mongo, MONGO_PORT=27017, 'MONGO_PASSWORD=a=b$$c', MONGO_USERNAME, MONGO_DATABASE_NAME=]",
            "{MONGO_HOST: ' mongo ', MONGO_PORT: 27017, MONGO_PASSWORD: 'a=b$$c', MONGO_USERNAME: , "
                + "MONGO_DATABASE_NAME: ''}",
            "{<<: *env, MONGO_HOST: '${NAME:-mongo}'}",
        ] {
            let found = try settings(
                """
                x-env: &env
                  MONGO_HOST: elsewhere
                  MONGO_PORT: "27017"
                  MONGO_PASSWORD: ${SECRET-a=b$$c}
                  MONGO_USERNAME:
                  MONGO_DATABASE_NAME: "${NOTHING:-}"
                services:
                  api:
                    environment: \(environment)
                  mongo:
                    image: mongo:7.0
                """, ["MONGO_USERNAME": "root"])
            #expect(try found.variable("MONGO_HOST")?.text == "mongo", "\(environment)")
            #expect(try found.variable("MONGO_PORT")?.text == "27017", "\(environment)")
            #expect(try found.variable("MONGO_PASSWORD")?.text == "a=b$c", "\(environment)")
            #expect(try found.variable("MONGO_USERNAME")?.text == "root", "\(environment)")
            #expect(try found.variable("MONGO_DATABASE_NAME") == nil, "\(environment)")
            #expect(try found.isEmpty("MONGO_DATABASE_NAME"), "\(environment)")
            #expect(try found.variable("MONGO_HOST")?.source == "MONGO_HOST in compose.yaml")
        }
    }

    @Test("counts of services that are started, all of which have to agree")
    func disagreement() throws {
        let text = """
            services:
              api: {environment: {MONGO_HOST: mongo, MONGO_DATABASE_NAME: chat}}
              worker:
                environment:
                  - MONGO_HOST=mongo
                  - MONGO_DATABASE_NAME=jobs
              tests: {profiles: [test], environment: {MONGO_HOST: other}}
            """
        let found = try settings(text)
        #expect(try found.variable("MONGO_HOST")?.text == "mongo")
        let failure = #expect(throws: Failure.self) { try found.variable("MONGO_DATABASE_NAME") }
        let words = try #require(failure?.description)
        #expect(words.contains("`api` and `worker` set MONGO_DATABASE_NAME to different values"), "\(words)")
        #expect(words.contains("compose.yaml, line 2") && words.contains("compose.yaml, line 6"), "\(words)")
        #expect(!words.contains("jobs"), "\(words)")
        let alone = try settings("services: {tests: {profiles: [test], environment: {MONGO_HOST: other}}}")
        #expect(try alone.variable("MONGO_HOST")?.text == "other")
    }

    @Test("leads to the port of this machine, by every name that a service has")
    func addresses() throws {
        let found = try settings(
            """
            services:
              mongo:
                container_name: ${PROJECT:-chat}-mongo
                ports:
                  - target: 27017
                    published: ${MONGO_PUBLISHED_PORT:-27018}
                    host_ip: 127.0.0.1
                networks: {backend: {aliases: [db]}}
              replica: {ports: ["27019"]}
              hidden: {image: mongo, expose: [27017]}
              host: {network_mode: host}
            """)
        for name in ["mongo", "chat-mongo", "db"] {
            let address = try #require(try found.address(of: name, 27_017))
            #expect(address.host == "127.0.0.1" && address.port == 27_018)
            #expect(address.mapping == "\(name):27017 -> 127.0.0.1:27018 (published port)")
        }
        // A port that .env gives may be the one that is published.
        #expect(try found.address(of: "mongo", 27_018)?.port == 27_018)
        #expect(try found.address(of: "host", 27_017)?.mapping == "host:27017 -> 127.0.0.1:27017 (the host's network)")
        #expect(try found.address(of: "host.docker.internal", 27_017)?.host == "127.0.0.1")
        #expect(try found.address(of: "db.example.com", 27_017) == nil)
        #expect(try found.reachedByName.address(of: "hidden", 27_017) == nil)
        for (name, port, words) in [
            ("replica", 27_019, "line 9: Docker chooses the port"),
            ("hidden", 27_017, "line 10: the service `hidden` doesn't publish its port 27017"),
            ("mongo", 27_020, "doesn't publish its port 27020"),
        ] {
            let failure = #expect(throws: Failure.self) { try found.address(of: name, port) }
            #expect(failure?.description.contains(words) == true, "\(String(describing: failure))")
        }
    }

    @Test("is merged with what stands in a second file, whose words are stronger")
    func merged() throws {
        var service = try #require(
            try ComposeFiles.services(
                in: "services: {mongo: {environment: {A: 1, B: 1}, ports: ['27017:27017']}}", "compose.yaml"
            ).first)
        let other = try #require(
            try ComposeFiles.services(
                in: "services: {mongo: {environment: [B=2], ports: ['27018:27017']}}", "compose.override.yml"
            ).first)
        service.merge(other)
        service.take(["B": "3", "C": "3$", "D": "${E}"], from: "mongo.env")
        #expect(service.environment.mapValues { $0?.text } == ["A": "1", "B": "2", "C": "3$", "D": "${E}"])
        let found = ComposeSettings([service], Interpolation(environment: [:], dotEnv: [:]))
        #expect(try found.address(of: "mongo", 27_017)?.port == 27_018)
    }
}
