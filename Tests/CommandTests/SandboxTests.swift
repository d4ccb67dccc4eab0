import BSON
import Foundation
import Logging
import MongoDriver
import TestSupport
import Testing

/// Throwaway servers, started by the built command.
@Suite("sandbox")
struct SandboxTests {
    @Test("runs until it is stopped, on loopback alone, and answers at the address that it prints")
    func standalone() async throws {
        try await withSandboxes { sandboxes in
            let started = try await sandboxes.json("start", "a", "--ttl", "10m")
            let uri = try #require(started.value(at: "sandbox", "uri")?.string)
            #expect(started.value(at: "sandbox", "expiresAt")?.string != nil)
            #expect(try await sandboxes.run("sandbox", "list").output.contains("a  running"))
            let seeded = try await sandboxes.run("seed", "--uri", uri)
            #expect(seeded.exitCode == 0, "\(seeded)")
            let pid = try #require(sandboxes.pids(started).first)
            let arguments = try #require(try? String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8))
            #expect(arguments.contains("--bind_ip\u{0}127.0.0.1\u{0}"))
            let folder = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")
            #expect(folder == "/", "it holds the folder that it was started in")
            let lent = try String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)
            let lowest = try #require(lent.split(separator: "\t").first.flatMap { Int($0) })
            #expect(try #require(URL(string: uri)?.port) < lowest, "an outgoing connection may take its port")
            let again = try await sandboxes.run("sandbox", "start", "a")
            #expect(again.exitCode == 4 && again.errors.contains("runs already: \(uri)"), "\(again)")
            let stopped = try await sandboxes.run("sandbox", "stop", "a")
            #expect(stopped.exitCode == 0 && !ProcessState.isRunning(pid), "\(stopped)")
            #expect(try await sandboxes.run("sandbox", "list").output == "No sandbox runs.\n")
            #expect(try await sandboxes.run("sandbox", "logs", "a").output.contains("Waiting for connections"))
            #expect(try await sandboxes.run("sandbox", "stop", "a").exitCode == 4)
        }
    }

    @Test("rests with its snapshots when it is stopped, and goes on from one")
    func resting() async throws {
        try await withSandboxes { sandboxes in
            for name in ["a", "b", "c"] { _ = try await sandboxes.json("start", name, "--ttl", "1h") }
            let uri = try await sandboxes.uri("a")
            #expect(try await sandboxes.run("seed", "alice", "--uri", uri).exitCode == 0)
            #expect(try await sandboxes.run("sandbox", "snapshot", "a", "one").exitCode == 0)
            let taken = try await sandboxes.run("sandbox", "snapshot", "a", "one")
            #expect(taken.exitCode == 4 && taken.errors.contains("--replace"), "\(taken)")
            let unknown = try await sandboxes.run("sandbox", "stop", "a", "nobody")
            #expect(unknown.exitCode == 4 && unknown.errors.contains("There is no sandbox nobody"), "\(unknown)")
            #expect(try await sandboxes.servers().count == 3)
            let stopped = try await sandboxes.run("sandbox", "stop", "a", "b", "c")
            #expect(stopped.exitCode == 0 && stopped.output.contains("The sandbox c has ended."), "\(stopped)")
            let again = try await sandboxes.run("sandbox", "stop", "a")
            #expect(again.exitCode == 0 && again.output.contains("is stopped already"), "\(again)")
            let restored = try await sandboxes.run("sandbox", "restore", "a", "one")
            #expect(restored.exitCode == 0, "\(restored)")
            #expect(try await sandboxes.uri("a") == uri)
            #expect(try await sandboxes.users(uri) == 1)
            let listed = try await sandboxes.run("sandbox", "list", "--format", "json").json()
            #expect(listed["sandboxes"]?.array?.values.first?.document?["expiresAt"]?.string != nil)
        }
    }

    @Test("of several members has a primary when it is ready, and goes on from a copy at the same address")
    func replicaSet() async throws {
        try await withSandboxes { sandboxes in
            let started = try await sandboxes.json("start", "set", "--replica-set", "--members", "3")
            let uri = try #require(started.value(at: "sandbox", "uri")?.string)
            #expect(sandboxes.pids(started).count == 3)
            // All of it, of all members.
            let logs = try await sandboxes.run("sandbox", "logs", "set")
            #expect(logs.output.matches(of: /Waiting for connections/).count == 3)
            // To be copied from a narrow terminal, too.
            let narrow = sandboxes.environment.merging(["COLUMNS": "80"]) { $1 }
            let listed = try await Tool.run(["sandbox", "list"], environment: narrow)
            #expect(listed.output.split(whereSeparator: \.isWhitespace).contains { $0 == uri }, "\(listed)")
            #expect(try await sandboxes.run("seed", "alice", "--uri", uri).exitCode == 0)
            #expect(try await sandboxes.run("sandbox", "snapshot", "set", "one").exitCode == 0)
            #expect(try await sandboxes.run("seed", "testuser", "--uri", uri, "--yes").exitCode == 0)
            #expect(try await sandboxes.users(uri) == 2)
            let restored = try await sandboxes.run("sandbox", "restore", "set", "one")
            #expect(restored.exitCode == 0, "\(restored)")
            #expect(try await sandboxes.users(uri) == 1)
            #expect(try await sandboxes.run("seed", "testuser", "--uri", uri, "--yes").exitCode == 0)
            #expect(try await sandboxes.run("sandbox", "stop", "--all", "--purge").exitCode == 0)
        }
    }

    @Test("goes back to a copy again and again, at the same address")
    func restoredOften() async throws {
        try await withSandboxes { sandboxes in
            let uri = try #require(try await sandboxes.json("start", "a").value(at: "sandbox", "uri")?.string)
            #expect(try await sandboxes.run("seed", "alice", "--uri", uri).exitCode == 0)
            #expect(try await sandboxes.run("sandbox", "snapshot", "a", "one").exitCode == 0)
            for _ in 1...10 {
                let restored = try await sandboxes.run("sandbox", "restore", "a", "one")
                try #require(restored.exitCode == 0, "\(restored)")
            }
            #expect(try await sandboxes.users(uri) == 1)
        }
    }

    @Test("lends itself to a program, whose exit code is its own, and ends with it")
    func exec() async throws {
        try await withSandboxes { sandboxes in
            let script = #"echo "$CHAT_ADMIN_URI $MONGODB_URI $MONGO_HOST:$MONGO_PORT $MONGO_DATABASE_NAME"; exit 7"#
            let ran = try await sandboxes.run("sandbox", "exec", "--", "sh", "-c", script)
            #expect(ran.exitCode == 7, "\(ran)")
            #expect(
                ran.output.contains(/mongodb:\/\/127\.0\.0\.1:(\d+)\/chat\S* mongodb:\S+ 127\.0\.0\.1:\1 chat/),
                "\(ran)")
            #expect(try await sandboxes.servers() == [])
            let killed = try await sandboxes.run("sandbox", "exec", "--", "sh", "-c", "kill -TERM $$")
            #expect(killed.exitCode == 143)
            #expect(try await sandboxes.run("sandbox", "exec", "--", "no-such-program").exitCode == 127)
            #expect(try await sandboxes.run("sandbox", "exec", "--", "/etc/passwd").exitCode == 126)
            #expect(try await sandboxes.run("sandbox", "exec").exitCode == 64)
            // One that runs is used, and stays.
            let started = try await sandboxes.json("start")
            let uri = try #require(started.value(at: "sandbox", "uri")?.string)
            let used = try await sandboxes.run("sandbox", "exec", "--", "sh", "-c", "echo $CHAT_ADMIN_URI")
            #expect(used.output == uri + "\n")
            #expect(try await sandboxes.servers().count == 1)
        }
    }

    @Test("gives its program no user of another server, from the environment or from the application's file")
    func execUser() async throws {
        try await withSandboxes { sandboxes in
            let folder = sandboxes.folder + "-application"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            try "MONGO_USERNAME=app\nMONGO_PASSWORD=secret\n".write(
                toFile: folder + "/.env", atomically: true, encoding: .utf8)
            // The names that the application has, without this tool's own: they are to be enough.
            let script = """
                echo "${MONGO_USERNAME-unset}.${MONGO_PASSWORD-unset}"
                env -u CHAT_ADMIN_URI -u CHAT_ADMIN_DATABASE "$0" doctor --format json
                """
            let result = try await Tool.run(
                ["sandbox", "exec", "--seed", "-q", "--", "sh", "-c", script, ToolProgram.path()],
                environment: sandboxes.environment.merging(["MONGO_USERNAME": "other"]) { $1 }, in: folder)
            #expect(result.output.hasPrefix(".\n"), "\(result)")
            #expect(result.output.contains("User: none."), "\(result)")
        }
    }

    @Test("gives its program an empty input where it has none itself")
    func closedInput() async throws {
        try await withSandboxes { sandboxes in
            let result = try await OtherProgram.run(
                "/bin/sh",
                [
                    "-c",
                    "CHAT_ADMIN_SANDBOXES=$1 CHAT_ADMIN_MONGOD=$2 $0 sandbox exec -- readlink /proc/self/fd/0 <&-",
                    ToolProgram.path(), sandboxes.folder, MongodProgram.path(),
                ])
            #expect(result.code == 0 && result.output == "/dev/null\n", "\(result)")
        }
    }

    @Test("of an exec that is killed leaves no server, and the next command nothing else")
    func execKilled() async throws {
        try await withSandboxes { sandboxes in
            let ended = try await sandboxes.start("sandbox", "exec", "--", "sh", "-c", "echo ready; sleep 60") {
                tool in
                try await tool.waitUntilPrinted("ready")
                let servers = try await sandboxes.servers()
                #expect(servers.count == 1)
                tool.send(SIGKILL)
                try await tool.waitUntilEnded()
                for pid in servers { try await waitUntilEnded(pid) }
            }
            #expect(ended.exitCode != 0)
            let listed = try await sandboxes.run("sandbox", "list")
            #expect(listed.errors.contains("was forgotten, and is ended now"), "\(listed)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: sandboxes.folder) == [])
        }
    }

    @Test("passes signals on to its program, and waits for it")
    func execSignalled() async throws {
        try await withSandboxes { sandboxes in
            let script = "trap 'echo heard; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
            let ended = try await sandboxes.start("sandbox", "exec", "--", "sh", "-c", script) { tool in
                try await tool.waitUntilPrinted("ready")
                tool.send(SIGTERM)
            }
            #expect(ended.exitCode == 9 && ended.output.contains("heard"), "\(ended)")
            #expect(try await sandboxes.servers() == [])
        }
    }

    @Test("that exec was given by name keeps its snapshots when it ends")
    func execNamed() async throws {
        try await withSandboxes { sandboxes in
            _ = try await sandboxes.json("start", "a", "--seed")
            #expect(try await sandboxes.run("sandbox", "snapshot", "a", "one").exitCode == 0)
            #expect(try await sandboxes.run("sandbox", "stop", "a").exitCode == 0)
            #expect(try await sandboxes.run("sandbox", "exec", "a", "--", "true").exitCode == 0)
            #expect(try await sandboxes.run("sandbox", "list").output.contains("snapshots: one"))
            // Also where it is killed, and the next command ends what is left.
            _ = try await sandboxes.start("sandbox", "exec", "a", "--", "sh", "-c", "echo ready; sleep 60") { tool in
                try await tool.waitUntilPrinted("ready")
                tool.send(SIGKILL)
                try await tool.waitUntilEnded()
            }
            #expect(try await sandboxes.run("sandbox", "list").output.contains("snapshots: one"))
            #expect(try await sandboxes.run("sandbox", "restore", "a", "one").exitCode == 0)
            #expect(try await sandboxes.users(sandboxes.uri("a")) == 2)
        }
    }

    @Test("is ended by the kernel when its time is over")
    func lifetime() async throws {
        try await withSandboxes { sandboxes in
            let started = try await sandboxes.json("start", "short", "--ttl", "8s")
            let pid = try #require(sandboxes.pids(started).first)
            try await waitUntilEnded(pid)
            let listed = try await sandboxes.run("sandbox", "list")
            #expect(listed.errors.contains("short was forgotten"), "\(listed)")
        }
    }

    @Test(
        "keeps its data where they are to stay, also those of a set, at whatever ports",
        arguments: [[], ["--replica-set"], ["--replica-set", "--members", "3"]])
    func kept(kind: [String]) async throws {
        try await withSandboxes { sandboxes in
            let data = sandboxes.folder + "-data"
            defer { try? FileManager.default.removeItem(atPath: data) }
            for expected in [0, 2] {
                let started = try await Tool.run(
                    ["sandbox", "start", "a", "--keep", data] + kind, environment: sandboxes.environment)
                #expect(started.exitCode == 0, "\(started)")
                let uri = try await sandboxes.uri("a")
                #expect(try await sandboxes.users(uri) == expected)
                #expect(try await sandboxes.run("seed", "--uri", uri, "--database", "chat").exitCode == 0)
                #expect(try await sandboxes.run("sandbox", "stop", "a").exitCode == 0)
            }
            guard kind.count > 1 else { return }
            let smaller = try await sandboxes.run("sandbox", "start", "a", "--keep", data)
            #expect(smaller.exitCode == 4 && smaller.errors.contains("a replica set of 3 servers"), "\(smaller)")
        }
    }

    @Test("of a set goes on from a copy that was taken at other ports, and from none of another shape")
    func copiesOfSets() async throws {
        try await withSandboxes { sandboxes in
            _ = try await sandboxes.json("start", "a", "--replica-set", "--members", "3", "--seed")
            let first = try await sandboxes.uri("a")
            #expect(try await sandboxes.run("sandbox", "snapshot", "a", "set").exitCode == 0)
            #expect(try await sandboxes.run("sandbox", "stop", "a").exitCode == 0)
            _ = try await sandboxes.json("start", "a", "--replica-set", "--members", "3")
            #expect(try await sandboxes.uri("a") != first)
            let restored = try await sandboxes.run("sandbox", "restore", "a", "set")
            #expect(restored.exitCode == 0, "\(restored)")
            #expect(try await sandboxes.users(sandboxes.uri("a")) == 2)
            #expect(try await sandboxes.run("sandbox", "stop", "a").exitCode == 0)
            _ = try await sandboxes.json("start", "a", "--incident")
            let uri = try await sandboxes.uri("a")
            let users = try await sandboxes.users(uri)
            let refused = try await sandboxes.run("sandbox", "restore", "a", "set")
            #expect(refused.exitCode == 4 && refused.errors.contains("is of a replica set of 3"), "\(refused)")
            #expect(try await sandboxes.users(uri) == users)
        }
    }

    @Test("holds the incident, or users, where that is asked for")
    func contents() async throws {
        try await withSandboxes { sandboxes in
            let incident = try await sandboxes.json("start", "broken", "--incident")
            let uri = try #require(incident.value(at: "sandbox", "uri")?.string)
            let check = try await sandboxes.run("check", "--settle", "0", "--uri", uri, "--only", "id.empty")
            #expect(check.exitCode == 1, "\(check)")
            let seeded = try await sandboxes.json("start", "other", "--seed")
            #expect(try await sandboxes.users(try #require(seeded.value(at: "sandbox", "uri")?.string)) == 2)
        }
    }

    @Test("that runs is given what exec asks for, and nothing twice")
    func execContents() async throws {
        try await withSandboxes { sandboxes in
            _ = try await sandboxes.json("start")
            let uri = try await sandboxes.uri("default")
            var counts: [Int] = []
            for _ in 1...2 {
                let demo = ["--demo", "users=3,sessions=4,messages=5"]
                let seeded = try await Tool.run(
                    ["sandbox", "exec", "--seed"] + demo + ["--", "true"], environment: sandboxes.environment)
                #expect(seeded.exitCode == 0 && seeded.errors.contains("alice / alicepass123"), "\(seeded)")
                // What goes with the server nobody undoes.
                #expect(!(seeded.output + seeded.errors).contains("runs undo"), "\(seeded)")
                counts.append(try await sandboxes.users(uri))
            }
            let made = try #require(counts.first)
            #expect(made > 2 && counts == [made, made])
            let incident = try await sandboxes.run("sandbox", "exec", "--incident", "--", "true")
            #expect(incident.exitCode == 4 && incident.errors.contains("has users already"), "\(incident)")
            #expect(try await sandboxes.users(uri) == made)
            let quiet = try await sandboxes.run("sandbox", "exec", "-q", "--seed", "--", "true")
            #expect(quiet.exitCode == 0 && quiet.output + quiet.errors == "", "\(quiet)")
        }
    }
}

/// Where sandboxes are.
@Suite("The folder of sandboxes")
struct SandboxFolderTests {
    @Test("is one's own, also where two projects call it the same, relative to themselves")
    func relative() async throws {
        try await withFolder { folder in
            let program = try MongodProgram.path()
            var projects: [(folder: String, environment: [String: String])] = []
            for name in ["one", "two"] {
                try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
                projects.append(
                    ("\(folder)/\(name)", ["CHAT_ADMIN_SANDBOXES": "boxes", "CHAT_ADMIN_MONGOD": program]))
            }
            var running: [String] = []
            for project in projects {
                let started = try await Tool.run(
                    ["sandbox", "start", "a"], environment: project.environment, in: project.folder)
                #expect(started.exitCode == 0, "\(started)")
                let listed = try await Tool.run(
                    ["sandbox", "list"], environment: projects[0].environment, in: projects[0].folder)
                running.append(listed.output)
            }
            #expect(running.count == 2 && running[0] == running[1] && running[0].contains("a  running"), "\(running)")
            for project in projects {
                let stopped = try await Tool.run(
                    ["sandbox", "stop", "a", "--purge"], environment: project.environment, in: project.folder)
                #expect(stopped.exitCode == 0, "\(stopped)")
            }
        }
    }

    @Test("is the usual one where the variable says nothing")
    func empty() async throws {
        try await withFolder { folder in
            let program = try MongodProgram.path()
            let environment = ["CHAT_ADMIN_SANDBOXES": "", "HOME": folder, "CHAT_ADMIN_MONGOD": program]
            let started = try await Tool.run(["sandbox", "start", "a"], environment: environment)
            #expect(started.exitCode == 0, "\(started)")
            let path = "\(folder)/.local/state/chat-admin/sandboxes/a/sandbox.json"
            #expect(FileManager.default.fileExists(atPath: path))
            #expect(try await Tool.run(["sandbox", "stop", "a"], environment: environment).exitCode == 0)
        }
    }
}

/// What is in the way of a sandbox.
@Suite("A sandbox refuses")
struct SandboxRefusalTests {
    @Test("a port that is taken")
    func port() async throws {
        let (descriptor, port) = try LoopbackPort.listen()
        defer { close(descriptor) }
        try await withSandboxes { sandboxes in
            let result = try await sandboxes.run("sandbox", "start", "--port", "\(port)")
            #expect(result.exitCode == 4, "\(result)")
            #expect(result.errors.contains("The port \(port) of 127.0.0.1 is taken"), "\(result)")
            #expect(try await sandboxes.servers() == [])
        }
    }

    /// A program in mongod's place, and what is said of it.
    static let programs: [(script: String?, sentence: String)] = [
        (nil, "is no program that can be run"),
        ("echo 'db version v3.6.23'", "is MongoDB 3.6.23, and 4.2 or newer is needed"),
        (
            "echo I am a teapot; exit 3",
            "is no mongod: asked for its version, it ended with 3: it says \"I am a teapot\""
        ),
        (
            "echo 'mongod: error while loading shared libraries: libcrypto.so.1.1: cannot open' >&2; exit 127",
            "the library libcrypto.so.1.1 is missing; the package libssl1.1 has it"
        ),
        ("kill -SEGV $$", "is no mongod: asked for its version, it ended with 139"),
    ]

    @Test("a program that isn't a mongod that can be used, and names three ways to one", arguments: programs)
    func program(program: (script: String?, sentence: String)) async throws {
        try await withSandboxes { sandboxes in
            let path = sandboxes.folder + "-mongod"
            defer { try? FileManager.default.removeItem(atPath: path) }
            if let script = program.script {
                try "#!/bin/sh\n\(script)\n".write(toFile: path, atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
            }
            let result = try await sandboxes.run("sandbox", "start", "--mongod", path)
            #expect(result.exitCode == 78 && result.errors.contains(program.sentence), "\(result)")
            #expect(result.errors.contains("make setup") && result.errors.contains("docker run"), "\(result)")
        }
    }

    @Test("to look further where no mongod is found, and says where it has looked")
    func none() async throws {
        try await withSandboxes { sandboxes in
            // The test itself needs a shell.
            let programs = sandboxes.folder + "/bin"
            try FileManager.default.createDirectory(atPath: programs, withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(atPath: programs + "/sh", withDestinationPath: "/bin/sh")
            var bare = sandboxes
            bare.environment = ["CHAT_ADMIN_SANDBOXES": sandboxes.folder, "PATH": programs]
            let result = try await bare.run("sandbox", "start")
            #expect(result.exitCode == 78, "\(result)")
            #expect(result.errors.contains("There is no mongod in PATH, nor in .tools here or above"), "\(result)")
            #expect(result.errors.contains("--mongod or CHAT_ADMIN_MONGOD") && result.errors.contains("make setup"))
        }
    }

    @Test(
        "to be lent where it isn't as it is asked for",
        arguments: [
            ["--replica-set"], ["--port", "20001"], ["--keep", "data"], ["--database", "other"], ["--ttl", "1h"],
            ["--mongod", "/bin/true"],
        ])
    func otherShape(options: [String]) async throws {
        try await withSandboxes { sandboxes in
            // Its record alone: what it is refused for stands there.
            _ = try await sandboxes.json("start", "--port", "\(try LoopbackPort.free())")
            let result = try await Tool.run(
                ["sandbox", "exec"] + options + ["--", "echo", "ran"], environment: sandboxes.environment)
            #expect(result.exitCode == 4 && !result.output.contains("ran"), "\(result)")
            #expect(result.errors.contains("isn't as \(options[0]) wants it"), "\(result)")
        }
    }

    @Test("what can't be had before any server is started")
    func lookedAtFirst() async throws {
        let cases: [(arguments: [String], environment: [String: String], code: Int32)] = [
            (["start", "--demo", "5"], [:], 64), (["exec", "--demo", "users=x", "--", "true"], [:], 64),
            (["start", "--seed"], ["CHAT_ADMIN_DATABSE": "x"], 78), (["exec", "--", "no-such-program"], [:], 127),
            (["exec", "--", "/etc/passwd"], [:], 126),
        ]
        try await withSandboxes { sandboxes in
            for (arguments, environment, code) in cases {
                let result = try await Tool.run(
                    ["sandbox"] + arguments, environment: sandboxes.environment.merging(environment) { $1 })
                #expect(result.exitCode == code, "\(arguments): \(result)")
            }
            try "wrong: 1\n".write(toFile: sandboxes.folder + "/chat-admin.yaml", atomically: true, encoding: .utf8)
            let result = try await Tool.run(
                ["sandbox", "start", "--seed"], environment: sandboxes.environment, in: sandboxes.folder)
            #expect(result.exitCode == 78 && result.errors.contains("chat-admin.yaml"), "\(result)")
            // Where neither a clone nor an installation is near, there is no incident.
            let alone = sandboxes.folder + "-program"
            try FileManager.default.createDirectory(atPath: alone, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: alone) }
            try FileManager.default.copyItem(atPath: ToolProgram.path(), toPath: alone + "/chat-admin")
            let environment = sandboxes.environment.map { "\($0)=\($1)" }
            let incident = try await OtherProgram.run(
                "/usr/bin/env",
                environment + ["sh", "-c", "cd \(alone) && ./chat-admin sandbox start --incident"])
            #expect(incident.code == 78 && incident.errors.contains("aren't found"), "\(incident)")
            // No server has ever left a log.
            #expect(try FileManager.default.contentsOfDirectory(atPath: sandboxes.folder) == ["chat-admin.yaml"])
        }
    }

    @Test("a folder that another one has its data in, one with other files, and data of another version")
    func keptFolder() async throws {
        try await withSandboxes { sandboxes in
            let data = sandboxes.folder + "-data"
            defer { try? FileManager.default.removeItem(atPath: data) }
            _ = try await sandboxes.json("start", "a", "--keep", data, "--incident")
            let used = try await sandboxes.run("sandbox", "start", "b", "--keep", data)
            #expect(used.exitCode == 4 && used.errors.contains("\(data) is in use by the sandbox a."), "\(used)")
            // Also one of a folder of sandboxes that nothing is known of here.
            let elsewhere = sandboxes.environment.merging(["CHAT_ADMIN_SANDBOXES": sandboxes.folder + "/x"]) { $1 }
            let other = try await Tool.run(["sandbox", "start", "b", "--keep", data], environment: elsewhere)
            #expect(other.exitCode == 4 && other.errors.contains("in use by another server"), "\(other)")
            #expect(try await sandboxes.run("sandbox", "list").output.contains("a  running"))
            #expect(try await sandboxes.run("sandbox", "stop", "a").exitCode == 0)
            let twice = try await sandboxes.run("sandbox", "start", "a", "--keep", data, "--incident")
            #expect(twice.exitCode == 4 && twice.errors.contains("has users already"), "\(twice)")
            let older = try ProjectFiles.root() + "/.tools/mongodb/4.4.2/mongod"
            let version = try await sandboxes.run("sandbox", "start", "a", "--keep", data, "--mongod", older)
            #expect(version.exitCode == 4 && version.errors.contains("are of another version"), "\(version)")
            let foreign = sandboxes.folder + "/notes"
            try FileManager.default.createDirectory(atPath: foreign, withIntermediateDirectories: true)
            try "x".write(toFile: foreign + "/diary.txt", atomically: true, encoding: .utf8)
            let refused = try await sandboxes.run("sandbox", "start", "b", "--keep", foreign)
            #expect(refused.exitCode == 4 && refused.errors.contains("holds diary.txt"), "\(refused)")
            #expect(try await sandboxes.servers() == [])
        }
    }

    @Test("nothing because somebody has looked at it for a moment")
    func lookedAt() async throws {
        try await withSandboxes { sandboxes in
            let lock = sandboxes.folder + "/a/lock"
            try FileManager.default.createDirectory(
                atPath: sandboxes.folder + "/a", withIntermediateDirectories: true)
            let descriptor = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            try #require(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
            let watch = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
            defer { close(watch) }
            try #require(inotify_add_watch(watch, lock, UInt32(IN_OPEN)) >= 0)
            let started = try await sandboxes.start("sandbox", "start", "a") { tool in
                var event = [UInt8](repeating: 0, count: 4096)
                var times = 0
                try await waitUntil("the lock is asked for again", within: .seconds(60), every: .milliseconds(5)) {
                    if read(watch, &event, event.count) > 0 { times += 1 }
                    return times > 2 || !tool.isRunning
                }
                close(descriptor)
            }
            #expect(started.exitCode == 0, "\(started)")
        }
    }

    @Test("names that aren't, and snapshots that aren't there")
    func names() async throws {
        try await withSandboxes { sandboxes in
            #expect(try await sandboxes.run("sandbox", "start", "../a").exitCode == 64)
            #expect(try await sandboxes.run("sandbox", "snapshot", "a", "b").exitCode == 4)
            #expect(try await sandboxes.run("sandbox", "start", "--members", "3").exitCode == 64)
            #expect(try await sandboxes.run("sandbox", "stop").exitCode == 64)
            #expect(try await sandboxes.run("sandbox", "restore", "nobody", "b").exitCode == 4)
            let nothing = try await sandboxes.run("sandbox", "logs", "a")
            #expect(nothing.exitCode == 4 && nothing.errors.contains("There is no log of a sandbox a"), "\(nothing)")
        }
    }

    @Test("a second one of its name that starts at the same moment")
    func twice() async throws {
        try await withSandboxes { sandboxes in
            async let first = sandboxes.run("sandbox", "start", "a")
            async let second = sandboxes.run("sandbox", "start", "a")
            let results = try await [first, second]
            #expect(results.map(\.exitCode).sorted { ($0 ?? 0) < ($1 ?? 0) } == [0, 4], "\(results)")
            #expect(try await sandboxes.servers().count == 1)
        }
    }

    @Test("to end a process that has got the number of its server")
    func reusedNumber() async throws {
        try await withSandboxes { sandboxes in
            let started = try await sandboxes.json("start", "a")
            let pid = try #require(sandboxes.pids(started).first)
            kill(pid, SIGKILL)
            try await waitUntilEnded(pid)
            // Somebody else has the number now: the record is made to name this very process, with another start.
            let path = sandboxes.folder + "/a/sandbox.json"
            let record = try String(contentsOfFile: path, encoding: .utf8)
            try record.replacingOccurrences(of: "\"pid\" : \(pid)", with: "\"pid\" : \(getpid())")
                .write(toFile: path, atomically: true, encoding: .utf8)
            #expect(try await sandboxes.run("sandbox", "list").output.contains("a  stopped"))
            // This process lives to see it.
            #expect(try await sandboxes.run("sandbox", "stop", "a").exitCode == 0)
        }
    }
}

private func waitUntilEnded(_ pid: Int32) async throws {
    try await waitUntil("the server ends", within: .seconds(60)) { !ProcessState.isRunning(pid) }
}

/// The sandboxes of one test, in a folder of its own.
struct TestSandboxes: Sendable {
    let folder: String
    var environment: [String: String]

    func run(_ arguments: String...) async throws -> ToolResult {
        try await Tool.run(arguments, environment: environment)
    }

    func start(_ arguments: String..., body: (RunningTool) async throws -> Void) async throws -> ToolResult {
        try await Tool.start(arguments, environment: environment, body).result
    }

    func json(_ arguments: String...) async throws -> BSONDocument {
        let result = try await Tool.run(["sandbox"] + arguments + ["--format", "json"], environment: environment)
        try #require(result.exitCode == 0, "\(result)")
        return try result.json()
    }

    func pids(_ started: BSONDocument) -> [Int32] {
        (started.value(at: "sandbox", "pids")?.array?.values ?? []).compactMap { $0.integer.map(Int32.init) }
    }

    /// The address of one that runs, as `list` tells it.
    func uri(_ name: String) async throws -> String {
        let listed = try await json("list")["sandboxes"]?.array?.values.compactMap(\.document) ?? []
        return try #require(listed.first { $0["name"]?.string == name }?["uri"]?.string)
    }

    func users(_ uri: String) async throws -> Int {
        let pool = try MongoPool(
            ConnectionString(uri), logger: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() })
        KeptPools.keep(pool)
        let reply = try await pool.withClient { try await $0.run(["count": "users"], on: "chat") }
        return Int(reply["n"]?.integer ?? -1)
    }

    /// The servers that run on data in the folder, whoever knows of them.
    func servers() async throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap(Int32.init).filter { pid in
            guard ProcessState.isRunning(pid) else { return false }
            let arguments = (try? String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8)) ?? ""
            return arguments.contains("--dbpath\u{0}\(folder)/")
        }
    }
}

/// Lends a folder of sandboxes, and ends what is left in it.
func withSandboxes(_ body: (TestSandboxes) async throws -> Void) async throws {
    try await withFolder { folder in
        let program = try MongodProgram.path()
        let sandboxes = TestSandboxes(
            folder: folder, environment: ["CHAT_ADMIN_SANDBOXES": folder, "CHAT_ADMIN_MONGOD": program])
        do {
            try await body(sandboxes)
        } catch {
            _ = try await sandboxes.run("sandbox", "stop", "--all", "--purge")
            throw error
        }
        _ = try await sandboxes.run("sandbox", "stop", "--all", "--purge")
        #expect(try await sandboxes.servers() == [])
    }
}
