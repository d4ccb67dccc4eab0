internal import CCrypt
internal import Dispatch

/// Password hashes as the application's passlib writes and reads them: bcrypt, `$2b$`, cost 12.
package enum PasswordHash {
    /// The cost: 2¹² rounds.
    static let cost: UInt = 12
    /// bcrypt reads no further than this many bytes of a password.
    package static let maximumBytes = 72
    /// Matches a recognisable hash: bcrypt, and what else passlib may have written.
    static let pattern =
        #"^(\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}|\$(argon2|pbkdf2|scrypt|bcrypt-sha256|[156y]\$)[ -~]{20,})$"#

    /// Why a password couldn't be hashed.
    package struct Failure: Error, CustomStringConvertible {
        /// A sentence without the password.
        package let description: String
    }

    /// The bytes of a salt.
    package static let saltBytes = 16

    /// Hashes a password.
    ///
    /// Takes about a quarter of a second; runs outside Swift's cooperative pool.
    ///
    /// - Parameter salt: ``saltBytes`` bytes; nil takes fresh ones.
    /// - Throws: ``Failure``.
    package static func make(_ password: String, salt: [UInt8]? = nil) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try hash(password, salt) })
            }
        }
    }

    /// Whether a hash was made from this password. A hash of an unknown kind was not.
    package static func verify(_ password: String, _ hash: String) async -> Bool {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(returning: crypt(password, setting: hash) == hash)
            }
        }
    }

    private static func hash(_ password: String, _ salt: [UInt8]?) throws(Failure) -> String {
        guard password.utf8.count <= maximumBytes, !password.utf8.contains(0), !password.isEmpty else {
            throw Failure(
                description: "A password must have 1 to \(maximumBytes) bytes and no NUL character.")
        }
        guard let hash = crypt(password, setting: try setting(salt)) else { throw notMade }
        return hash
    }

    private static let notMade = Failure(description: "The system's libcrypt made no bcrypt hash.")

    /// What a hash begins with: the kind, the cost and the salt.
    ///
    /// - Parameter salt: ``saltBytes`` bytes; nil takes fresh ones.
    /// - Throws: ``Failure``.
    static func setting(_ salt: [UInt8]?) throws(Failure) -> String {
        var setting = [CChar](repeating: 0, count: Int(CRYPT_GENSALT_OUTPUT_SIZE))
        let bytes = salt?.map { CChar(bitPattern: $0) }
        // "If rbytes is NULL, [crypt_gensalt_rn] will obtain random bytes from the operating system" (crypt_gensalt(3)).
        let isMade =
            if let bytes {
                crypt_gensalt_rn("$2b$", cost, bytes, Int32(bytes.count), &setting, Int32(setting.count)) != nil
            } else {
                crypt_gensalt_rn("$2b$", cost, nil, 0, &setting, Int32(setting.count)) != nil
            }
        guard isMade else { throw notMade }
        return text(setting)
    }

    /// crypt_rn(3) with a buffer of its own, so that several threads can hash at once; nil when it refuses.
    private static func crypt(_ password: String, setting: String) -> String? {
        let size = MemoryLayout<crypt_data>.size
        let buffer = UnsafeMutableRawPointer.allocate(
            byteCount: size, alignment: MemoryLayout<crypt_data>.alignment)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        guard let result = crypt_rn(password, setting, buffer, Int32(size)) else { return nil }
        return String(cString: result)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
