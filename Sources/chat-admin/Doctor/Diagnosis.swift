internal import BSON
internal import Journal
internal import MongoDriver
internal import Synchronization

/// The answer to one of the doctor's questions.
struct Diagnosis: Encodable, Sendable {
    enum Status: String, Encodable {
        case good = "ok"
        case warning
        case failure
    }

    /// What was asked about, in a word.
    let name: String
    let status: Status
    let message: String
    /// What to do; nil where nothing has to be done.
    let advice: String?

    static func good(_ name: String, _ message: String) -> Diagnosis {
        Diagnosis(name: name, status: .good, message: message, advice: nil)
    }

    static func warning(_ name: String, _ message: String, advice: String?) -> Diagnosis {
        Diagnosis(name: name, status: .warning, message: message, advice: advice)
    }

    static func failure(_ name: String, _ message: String, advice: String? = nil) -> Diagnosis {
        Diagnosis(name: name, status: .failure, message: message, advice: advice)
    }
}

/// What the doctor has found so far.
final class Diagnoses: Sendable {
    private let list = Mutex<[Diagnosis]>([])

    var all: [Diagnosis] { list.withLock { $0 } }

    func add(_ diagnosis: Diagnosis) { list.withLock { $0.append(diagnosis) } }

    /// Asks one question. Where it can't be answered, that is the answer.
    ///
    /// - Throws: `EngineError.interrupted` alone.
    func ask(_ name: String, _ question: () async throws -> [Diagnosis]) async throws {
        do {
            for diagnosis in try await question() { add(diagnosis) }
        } catch EngineError.interrupted(let reason) {
            throw EngineError.interrupted(reason)
        } catch let error as MongoError where error.kind == .unauthorized {
            add(.warning(name, "It can't be asked: \(error.message)", advice: nil))
        } catch {
            add(.failure(name, "It can't be asked: \(Sentence(of: error))"))
        }
    }
}
