public import MigrationEngine

extension CheckReport {
    /// The findings that a repair would report as left, each with its reason. Warnings aren't.
    public var leftovers: [Leftover] {
        findings.filter { $0.code.severity == .error }.map { finding in
            Leftover(
                code: finding.code.rawValue, collection: finding.collection, count: finding.count,
                reason: finding.code.reasonLeft)
        }
    }
}
