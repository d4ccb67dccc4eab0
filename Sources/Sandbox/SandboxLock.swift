internal import Glibc

/// The right to change a sandbox, which one process has at a time: a lock of the file `lock` in its folder, which the kernel
/// takes back when the process ends.
struct SandboxLock: ~Copyable {
    private let descriptor: Int32

    /// Takes the lock if nobody has it.
    ///
    /// - Parameters:
    ///   - folder: The sandbox's folder.
    ///   - makes: Whether the folder and the file are made where they aren't there.
    /// - Throws: ``SandboxError`` of kind ``SandboxError/Kind/inputOutput`` where the file can't be made.
    init?(_ folder: SandboxFolder, makes: Bool) throws(SandboxError) {
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
            if Self.isFile(file, folder.lockPath) {
                descriptor = file
                return
            }
            close(file)
            guard makes else { return nil }
        }
    }

    deinit { close(descriptor) }

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
        let deadline = ContinuousClock.now + Self.patience
        while true {
            if let lock = try SandboxLock(self, makes: true) {
                let result = try await body()
                _ = consume lock
                return result
            }
            guard ContinuousClock.now < deadline else {
                throw SandboxError(
                    .refused,
                    "Another process is starting, stopping or copying the sandbox \(name) just now. Try again in a moment, "
                        + "or take another name.")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Does something with the right to change the sandbox, unless somebody has it, or there is no such sandbox.
    func holdingIfFree(_ body: () async throws -> Void) async throws {
        guard let lock = try SandboxLock(self, makes: false) else { return }
        try await body()
        _ = consume lock
    }

    /// Whether nobody is changing it just now.
    var isFree: Bool {
        let lock = try? SandboxLock(self, makes: false)
        return lock != nil || !Folders.exists(lockPath)
    }
}
