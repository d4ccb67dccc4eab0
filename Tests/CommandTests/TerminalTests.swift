import BSON
import Foundation
import TestSupport
import Testing

@Suite("A person at a terminal", .serialized)
struct TerminalTests {
    @Test("sees no line that the terminal had to break", arguments: [40, 60, 80, 200])
    func widths(columns: Int) async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            for command in [
                "check", "migrate plan", "migrate up --yes --offline", "runs list", "runs show latest", "explain",
                "doctor", "explain ref",
            ] {
                let words = command.split(separator: " ").map(String.init)
                let connection = command.hasPrefix("explain") ? [] : target(database)
                let (code, lines) = try await Terminal.run(words + connection, columns: columns) { try await $0.end() }
                #expect([0, 1, 2].contains(code), "\(command): \(lines)")
                let long = lines.filter { $0.count > columns }
                #expect(long == [], "\(command)")
            }
        }
    }

    @Test("sees colours, unless the terminal or the user wants none")
    func colors() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            for (environment, colored) in [
                ([:], true), (["TERM": "dumb"], false), (["NO_COLOR": "1"], false), (["NO_COLOR": ""], true),
            ] {
                let shown = try await Terminal.run(["check"] + target(database), environment: environment) { terminal in
                    _ = try await terminal.end()
                    return try await terminal.coloredScreen()
                }
                let escapes = shown.contains { $0.contains("\u{1B}[") }
                #expect(escapes == colored, "\(environment)")
            }
            let piped = try await Tool.run(["check"] + target(database))
            #expect(!piped.output.contains("\u{1B}") && !piped.errors.contains("\u{1B}"))
        }
    }

    @Test("types a password that nobody sees, and may think better of it")
    func password() async throws {
        try await withDatabase(on: .authenticated) { database in
            try await database.loadIncident()
            let user = try #require(database.server.credentials)
            let uri = "mongodb://\(user.user)@127.0.0.1:\(database.server.port)/?authSource=admin"
            let arguments = ["check", "--password-file", "-", "--uri", uri, "--database", database.name]
            try await Terminal.run(arguments) { terminal in
                try await terminal.wait(for: "Password of root:")
                try await terminal.type(user.password)
                let (code, lines) = try await terminal.end()
                #expect(code == 1, "\(lines)")
                #expect(!lines.joined().contains(user.password))
            }
            // Wherever standard error goes, and whatever keys are pressed before the end.
            try await Terminal.run(arguments, redirection: "2>errors") { terminal in
                try await terminal.wait(for: "Password of root:")
                try await terminal.press("C-z")
                try await terminal.type(user.password)
                let (code, lines) = try await terminal.end()
                #expect(code == 77, "\(lines)")
                #expect(!lines.joined().contains(user.password))
            }
            for keys in [["C-c"], ["a", "C-d", "C-c"]] {
                try await Terminal.run(arguments) { terminal in
                    try await terminal.wait(for: "Password of root:")
                    for key in keys { try await terminal.press(key) }
                    let (code, lines) = try await terminal.end()
                    // A machine that is too busy to answer within two seconds is told so in other words.
                    let words = ["Nothing was changed", "Stopped before"]
                    #expect(code == 130 && words.contains { lines.joined().contains($0) }, "\(lines)")
                    // What is typed next is shown again.
                    try await terminal.wait(for: "; line = 0;")
                    let settings = try await terminal.screen().joined(separator: " ")
                    #expect(settings.contains(" echo ") && !settings.contains("-echo "), "\(settings)")
                }
            }
        }
    }

    @Test("is asked for the guard in so many words while the application makes damage")
    func asked() async throws {
        try await withDatabase { database in
            try await database.load("users", [Sample.user()])
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            try await database.load("chat_sessions", [Sample.session(["_id": "", "created_at": .date(now - 60_000)])])
            let arguments = ["migrate", "up", "--offline"] + target(database)
            try await Terminal.run(arguments) { terminal in
                try await terminal.wait(for: "Type guard to do it all the same:")
                try await terminal.type("yes")
                #expect(try await terminal.end().exitCode == 4)
            }
            try await #expect(database.count("chat_sessions", ["_id": ""]) == 1)
            try await Terminal.run(arguments) { terminal in
                try await terminal.wait(for: "Type guard to do it all the same:")
                try await terminal.type("guard")
                try await terminal.wait(for: "Type yes to continue:")
                try await terminal.type("yes")
                let (code, lines) = try await terminal.end()
                #expect(code == 0, "\(lines)")
            }
            try await #expect(database.count("chat_sessions", ["_id": ""]) == 0)
        }
    }

    @Test("sees one line of progress, which never floods the terminal, and results of their own")
    func progress() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let block = FailCommand("update", on: "\(database.name).messages").blocking(milliseconds: 3000)
            try await database.withFailPoint(block, mode: .times(1)) { failPoint in
                let arguments = ["migrate", "up", "--yes", "--settle", "2"] + target(database)
                let (code, lines) = try await Terminal.run(arguments, columns: 60) { terminal in
                    try await failPoint.waitUntilEntered()
                    let screen = try await terminal.screen()
                    #expect(screen.allSatisfy { $0.count <= 60 }, "\(screen)")
                    return try await terminal.end()
                }
                #expect(code == 1)
                // The line is gone in the end: what is left is talk and the result.
                let place = try #require(lines.firstIndex { $0.hasPrefix("Database ") })
                let result = try #require(lines.firstIndex { $0.hasPrefix("Step 1 (guard)") })
                #expect(result - place <= 4, "\(lines)")
            }
        }
    }
}
