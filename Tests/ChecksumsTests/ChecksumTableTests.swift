import Checksums
import Foundation
import Testing

@Suite("A table of checksums")
struct ChecksumTableTests {
    @Test("holds each file under its name, sorted")
    func sorted() throws {
        try inFolder { folder in
            let paths = try ["b.swift", "a \"1\".swift"].map { try write("let a = 1", to: $0, in: folder) }
            let table = try ChecksumTable(files: paths)
            let checksum = try SwiftSource("let a = 1".utf8).checksum()
            #expect(table.checksums == ["b.swift": checksum, "a \"1\".swift": checksum])
            #expect(
                table.swiftFile.contains(
                    """
                    : [String: String] = [
                            "a \\"1\\".swift": "\(checksum)",
                            "b.swift": "\(checksum)",
                        ]
                    }

                    """))
        }
    }

    @Test("of no files is an empty dictionary")
    func empty() throws {
        #expect(try ChecksumTable(files: []).swiftFile.contains("[String: String] = [:]\n"))
    }

    @Test("is written when it changes, and left alone when it doesn't")
    func writing() throws {
        try inFolder { folder in
            let input = try write("let a = 1", to: "a.swift", in: folder)
            let output = folder.appending(path: "out.swift").path
            func inode() throws -> Int? {
                try FileManager.default.attributesOfItem(atPath: output)[.systemFileNumber] as? Int
            }

            try ChecksumTable(files: [input]).write(to: output)
            let first = try inode()
            _ = try write("let a = 1", to: "a.swift", in: folder)
            try ChecksumTable(files: [input]).write(to: output)
            #expect(try inode() == first)

            _ = try write("let b = 1", to: "a.swift", in: folder)
            let table = try ChecksumTable(files: [input])
            try table.write(to: output)
            #expect(try String(contentsOfFile: output, encoding: .utf8) == table.swiftFile)
        }
    }

    @Test("refuses two files of one name with a sentence that names both")
    func sameName() throws {
        try inFolder { folder in
            let paths = try ["x", "y"].map { name in
                let subfolder = folder.appending(path: name)
                try FileManager.default.createDirectory(at: subfolder, withIntermediateDirectories: false)
                return try write("", to: "a.swift", in: subfolder)
            }
            let error = ChecksumError.sameName("a.swift", first: paths[0], second: paths[1])
            #expect(throws: error) { try ChecksumTable(files: paths) }
            #expect(paths.allSatisfy(error.description.contains))
        }
    }

    @Test("takes an empty file like any other")
    func emptyFile() throws {
        try inFolder { folder in
            let path = try write("", to: "a.swift", in: folder)
            #expect(try ChecksumTable(files: [path]).checksums == ["a.swift": SHA256.hex([])])
        }
    }

    @Test("says which file can't be read or written, and why")
    func files() throws {
        try inFolder { folder in
            let missing = folder.appending(path: "no/such.swift").path
            let reason = "No such file or directory"
            #expect(throws: ChecksumError.unreadable(path: missing, reason: reason)) {
                try ChecksumTable(files: [missing])
            }
            #expect(throws: ChecksumError.unreadable(path: folder.path, reason: "Is a directory")) {
                try ChecksumTable(files: [folder.path])
            }
            #expect(throws: ChecksumError.unwritable(path: missing, reason: reason)) {
                try ChecksumTable(files: []).write(to: missing)
            }
        }
    }

    private func inFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "checksums-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    private func write(_ text: String, to name: String, in folder: URL) throws -> String {
        let file = folder.appending(path: name)
        try Data(text.utf8).write(to: file)
        return file.path
    }
}
