import Foundation
import TestSupport
import Testing

/// What a check and a report write, on a file system that is full.
@Suite("A full disk", .enabled("needs a namespace to mount in", { try await SmallDisk.canBeMade() }))
struct FullDiskTests {
    /// What names a file, and the file.
    private static let outputs: [(name: String, arguments: [String])] = [
        ("a.prom", ["check", "--metrics-file", "a.prom"]), ("a.json", ["check", "--output", "json=a.json"]),
        ("a.xml", ["check", "--output", "junit=a.xml"]), ("a.jsonl", ["check", "--record-file", "a.jsonl"]),
        ("a.html", ["report", "a.html"]),
    ]

    @Test(
        "leaves the file as it was, byte for byte, and nothing beside it, and says so with 74",
        arguments: outputs, [0, 1])
    func full(output: (name: String, arguments: [String]), freeBlocks: Int) async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let arguments = output.arguments + ["--uri", database.uri, "--database", database.name]
            let disk = SmallDisk(freeBlocks: freeBlocks)
            let look = output.arguments[0] == "check" ? ["--settle", "0"] : []
            let result = try await disk.run(arguments + look, changing: output.name)
            #expect(result.before.code == (look.isEmpty ? 0 : 1), "\(result)")
            #expect(result.code == 74, "\(result)")
            #expect(result.errors.contains("couldn't be written: No space left on device"), "\(result)")
            #expect(result.errors.contains("What it held is as it was."), "\(result)")
            #expect(result.isSame && result.files == [output.name, "ballast"].sorted(), "\(result)")
        }
    }

    @Test("that has room again is written to as before")
    func room() async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            let check = ["check", "--settle", "0", "--uri", database.uri, "--database", database.name]
            let result = try await SmallDisk(freeBlocks: 64).run(check + ["--record-file", "a"], changing: "a")
            #expect(result.code == 1 && !result.isSame && result.files == ["a", "ballast"], "\(result)")
        }
    }
}

/// A file system of a few blocks that only one process and its children see, filled but for some of them.
private struct SmallDisk {
    /// So many blocks of 4,096 bytes are left.
    let freeBlocks: Int

    /// How two runs of the tool ended, one on the empty disk and one on the full one.
    struct Result {
        let before: (code: Int32?, errors: String)
        let code: Int32?
        let errors: String
        /// Whether the file is as the first run left it.
        let isSame: Bool
        /// What is on the disk then.
        let files: [String]
    }

    static func canBeMade() async throws -> Bool {
        try await OtherProgram.run("/usr/bin/env", ["unshare", "-rm", "true"]).code == 0
    }

    private static let script = """
        folder=$1 name=$2 free=$3; shift 3
        mkdir "$folder/disk"
        mount -t tmpfs -o size=1m none "$folder/disk"
        cd "$folder/disk"
        run() { env -i PATH="$PATH" HOME="$folder" "$@" >"$folder/output" 2>"$folder/errors" || echo $? >"$folder/code"; }
        echo 0 >"$folder/code"; run "$@"
        for file in code errors; do mv "$folder/$file" "$folder/$file.before"; done
        cp "$name" "$folder/before"
        ! dd if=/dev/zero of=ballast bs=4096 2>"$folder/dd"
        truncate -s "-$((free * 4096))" ballast
        echo 0 >"$folder/code"; run "$@"
        ! cmp "$name" "$folder/before" || touch "$folder/same"
        ls -A >"$folder/files"
        """

    /// Runs the tool twice, in the disk's folder: while it is empty, and when it is full.
    func run(_ arguments: [String], changing name: String) async throws -> Result {
        let manager = FileManager.default
        let folder = manager.temporaryDirectory.path + "/chat-admin-disk-\(UUID().uuidString)"
        try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? manager.removeItem(atPath: folder) }
        let ended = try await OtherProgram.run(
            "/usr/bin/env",
            ["unshare", "-rm", "sh", "-euc", Self.script, "sh", folder, name, "\(freeBlocks)", ToolProgram.path()]
                + arguments)
        try #require(ended.code == 0, "\(ended)")
        func text(_ file: String) throws -> String {
            try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        return try Result(
            before: (Int32(text("code.before")), text("errors.before")), code: Int32(text("code")),
            errors: text("errors"), isSame: manager.fileExists(atPath: "\(folder)/same"),
            files: text("files").split(separator: "\n").map(String.init).sorted())
    }
}
