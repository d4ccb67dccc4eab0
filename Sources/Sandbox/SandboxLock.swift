internal import Glibc

/// The right to change a sandbox, which one process has at a time: a lock of the file `lock` in its folder, which the kernel
/// takes back when the process ends.
enum SandboxLock {
    /// Takes the lock if nobody has it.
    ///
    /// - Parameters:
    ///   - folder: The sandbox's folder.
    ///   - makes: Whether the folder and the file are made where they aren't there.
    /// - Returns: A descriptor that has the lock until it is closed; nil where another process has it.
    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/inputOutput`` where the file can't be made.
    static func take(_ folder: SandboxFolder, makes: Bool) throws -> Int32? {
        while true {
            if makes { try Folders.make(folder.path) }
            let file = open(folder.lockPath, O_RDWR | O_CLOEXEC | (makes ? O_CREAT : 0), 0o600)
            guard file >= 0 else {
                // Somebody has just removed the folder.
                if makes, errno == ENOENT { continue }
                guard makes else { return nil }
                throw SandboxError(
                    .inputOutput, "\(folder.lockPath) can't be made: \(String(cString: strerror(errno))).")
            }
            guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
                close(file)
                return nil
            }
            // Whoever had it may have removed the file, and the next one locks another.
            if isFile(file, folder.lockPath) { return file }
            close(file)
            guard makes else { return nil }
        }
    }

    private static func isFile(_ descriptor: Int32, _ path: String) -> Bool {
        var (held, named) = (stat(), stat())
        return fstat(descriptor, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino
            && held.st_dev == named.st_dev
    }
}

extension SandboxFolder {
    var lockPath: String { path + "/lock" }

    /// So long another process is waited for: one that only looks has the lock for a moment.
    private static let patience = Duration.seconds(1)

    /// Holds the right to change the sandbox until the body has ended or the process has.
    ///
    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/refused`` where another process has it.
    func holding<R>(_ body: () async throws -> R) async throws -> R {
        let lock = try await lock()
        defer { close(lock) }
        return try await body()
    }

    private func lock() async throws -> Int32 {
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline {
            if let lock = try SandboxLock.take(self, makes: true) { return lock }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw SandboxError(
            .refused,
            "Another process is starting, stopping or copying the sandbox \(name) just now. Try again in a moment, or take "
                + "another name.")
    }

    /// Does something with the right to change the sandbox, unless somebody has it, or there is no such sandbox.
    func holdingIfFree(_ body: () async throws -> Void) async throws {
        guard let lock = try SandboxLock.take(self, makes: false) else { return }
        defer { close(lock) }
        try await body()
    }

    /// Whether nobody is changing it just now.
    var isFree: Bool {
        guard let lock = try? SandboxLock.take(self, makes: false) else { return !Folders.exists(lockPath) }
        close(lock)
        return true
    }
}
