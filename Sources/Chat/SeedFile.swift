internal import Foundation

/// A file of users: an object with one key, `users`.
public struct SeedFile: Sendable, Codable {
    /// The users, in the order of the file.
    public let users: [SeedUser]

    /// Why a file can't be used.
    public struct Failure: Error, CustomStringConvertible {
        /// What is wrong, and where.
        public let description: String
        /// Whether the file couldn't be read at all.
        public let isUnreadable: Bool
    }

    /// Reads a file whole before anything is done with it.
    ///
    /// - Parameter path: The file's path, or `-` for standard input.
    /// - Throws: ``Failure`` when the file can't be read, is cut off, isn't JSON, or names a user twice.
    public static func read(_ path: String) throws(Failure) -> [SeedUser] {
        let data: Data
        do {
            data = try InputFile.read(path)
        } catch {
            throw Failure(description: "The file \(path) can't be read: \(error).", isUnreadable: true)
        }
        do {
            let file = try JSONDecoder().decode(SeedFile.self, from: data)
            guard !file.users.isEmpty else {
                throw Failure(description: "The file \(path) names no user.", isUnreadable: false)
            }
            try checkDuplicates(file.users, path)
            return file.users
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(
                description: "The file \(path) isn't a list of users: \(sentence(error)). Nothing was changed.",
                isUnreadable: false)
        }
    }

    private static func checkDuplicates(_ users: [SeedUser], _ path: String) throws(Failure) {
        for keys in [users.map(\.username), users.map(\.email)] {
            var seen: Set<String> = []
            for key in keys where !seen.insert(key.lowercased()).inserted {
                throw Failure(
                    description: "The file \(path) names `\(key)` twice. Nothing was changed.", isUnreadable: false)
            }
        }
    }

    /// A decoding error in words, with the place in the file, never with a value: values are passwords.
    private static func sentence(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "it can't be understood" }
        switch error {
        case .keyNotFound(let key, let context): return "\(place(context)) lacks `\(key.stringValue)`"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "\(place(context)) has the wrong type"
        case .dataCorrupted(let context):
            let isSyntax = context.codingPath.isEmpty
            if isSyntax { return "it isn't whole, valid JSON" }
            // Only our own decoder's words name no value.
            let words = context.debugDescription
            return place(context)
                + (words.hasPrefix(SeedUser.ownWords)
                    ? ": \(words.dropFirst(SeedUser.ownWords.count))" : " has an unknown value")
        @unknown default: return "it can't be understood"
        }
    }

    private static func place(_ context: DecodingError.Context) -> String {
        let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
        return path.isEmpty ? "the file" : "`\(path.drop { $0 == "." })`"
    }
}
