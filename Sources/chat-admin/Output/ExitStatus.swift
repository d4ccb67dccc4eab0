internal import ArgumentParser
internal import Chat
internal import Checks
internal import Journal
internal import MongoDriver
internal import Sandbox
internal import StepFiles

/// What the tool's exit code says.
enum ExitStatus: Int32, Sendable {
    case done = 0
    case findings = 1
    case pending = 2
    case stepFailed = 3
    case refused = 4
    case timeOver = 5
    case usage = 64
    case badInput = 65
    case unreachable = 69
    case internalError = 70
    case localIO = 74
    case leaseHeld = 75
    case notAllowed = 77
    case configuration = 78
    case interrupted = 130
    case terminated = 143
}

/// An error of the command line itself, with the exit code that it means.
struct Failure: Error, CustomStringConvertible {
    let status: ExitStatus
    let description: String

    init(_ status: ExitStatus, _ description: String) {
        self.status = status
        self.description = description
    }
}

extension ExitStatus {
    private init(sandbox kind: SandboxError.Kind) {
        switch kind {
        case .usage: self = .usage
        case .noServer: self = .configuration
        case .refused: self = .refused
        case .inputOutput: self = .localIO
        case .unreachable: self = .unreachable
        }
    }

    /// The code that an error means.
    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure.status
        case let failure as UnrecordedFailure: self.init(failure.first)
        case let error as EngineError: self.init(engine: error)
        case let failure as NoConnection: self.init(failure.underlying)
        case let error as MongoError: self = error.isOfMember ? .unreachable : ExitStatus(mongo: error.kind)
        case let error as StateError: self = error.isOfCollection ? .configuration : .badInput
        case let failure as SeedFile.Failure: self = failure.isUnreadable ? .localIO : .badInput
        case let error as StepFileError: self = error.kind == .inputOutput ? .localIO : .badInput
        case is AtomicFile.Failure: self = .localIO
        case let failure as FileCheckStore.Failure: self = failure.isUnreadable ? .localIO : .badInput
        case is PasswordHash.Failure: self = .badInput
        case let error as SandboxError: self.init(sandbox: error.kind)
        case is DemoSeeder.Objection, is SeedRefusal: self = .refused
        default: self = .internalError
        }
    }

    private init(engine error: EngineError) {
        switch error {
        case .unsupportedServer, .serverChanged: self = .unreachable
        case .leaseHeld, .leaseLost: self = .leaseHeld
        case .interrupted(.timeIsUp): self = .timeOver
        case .interrupted(.signal(15)): self = .terminated
        case .interrupted: self = .interrupted
        case .stepFailed(_, _, _, let underlying):
            // A server that went away, or a user who may not, says more to a script than the step that noticed it.
            let status = ExitStatus((underlying as? CommandFailure)?.underlying ?? underlying)
            self = status == .unreachable || status == .notAllowed ? status : .stepFailed
        case .halfApplied: self = .stepFailed
        case .notFound: self = .usage
        case .ledger, .blocked, .dangerous, .refused, .refusedFor: self = .refused
        }
    }

    private init(mongo kind: MongoError.Kind) {
        switch kind {
        case .connectionString: self = .configuration
        case .unreachable, .network, .timeout, .writeConcern: self = .unreachable
        case .authentication, .unauthorized: self = .notAllowed
        case .duplicateKey, .documentValidation, .server, .bson, .internal: self = .internalError
        }
    }
}
