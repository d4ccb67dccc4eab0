internal import Journal
internal import Logging
internal import MongoDriver

/// What can be asked before anybody is signed in: whether each host is there.
struct HostQuestions {
    let connection: ConnectionString
    let diagnoses: Diagnoses

    private static let name = "reachable"
    /// A certificate that is renewed by a machine has been by then.
    private static let daysToRenew = 14

    func ask() async throws {
        let pool = try MongoPool(connection, logger: PlainLogHandler.logger(.critical))
        pool.keepUntilExit()
        let reports = try await pool.withClient { await $0.hostReports() }
        // One that is away is no reason why the others shouldn't do.
        let someAnswer = reports.contains { $0.failure == nil }
        for report in reports { diagnoses.add(Self.diagnosis(report, someAnswer: someAnswer)) }
    }

    private static func diagnosis(_ report: HostReport, someAnswer: Bool) -> Diagnosis {
        if let failure = report.failure {
            return someAnswer
                ? .warning(name, failure, advice: hint(report)) : .failure(name, failure, advice: hint(report))
        }
        let addresses = report.addresses.filter { !report.name.hasPrefix($0) && !report.name.hasPrefix("[\($0)]") }
        let address = addresses.isEmpty ? "" : " (\(addresses.joined(separator: ", ")))"
        let answer = "\(report.name)\(address) takes connections"
        guard let days = report.daysLeft else { return .good(name, "\(answer), without TLS.") }
        let certificate = "\(answer); its certificate is valid for \(days) more day\(days == 1 ? "" : "s")."
        return days < daysToRenew
            ? .warning(name, certificate, advice: "Renew it before every connection is refused.")
            : .good(name, certificate)
    }

    private static func hint(_ report: HostReport) -> String? {
        guard report.addresses.isEmpty, !report.name.contains(".") else { return nil }
        return ConnectionHint.composeHost
    }

    /// Why there was no session, as an answer.
    ///
    /// - Returns: nil for what isn't the doctor's to answer, such as a signal; empty where it was answered already.
    static func diagnosis(of error: any Error, _ known: [Diagnosis]) -> [Diagnosis]? {
        switch error {
        case EngineError.unsupportedServer: [.failure("version", Sentence(of: error).description)]
        case let failure as NoConnection:
            switch failure.underlying.kind {
            case .authentication, .unauthorized:
                [.failure("user", failure.underlying.description, advice: failure.hints.first)]
            case .unreachable, .network, .timeout:
                // What stands in the way of a host was said of the host.
                known.contains { $0.status == .failure && [nil, $0.advice].contains(failure.hints.first) }
                    ? [] : [.failure(name, failure.underlying.description, advice: failure.hints.first)]
            default: [.failure(name, failure.underlying.description)]
            }
        // Before there was a connection to make: DNS knows no such service.
        case let error as MongoError where error.kind == .unreachable: [.failure(name, error.description)]
        default: nil
        }
    }
}
