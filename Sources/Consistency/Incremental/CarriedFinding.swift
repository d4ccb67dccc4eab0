/// What an earlier check has found, of documents that haven't changed since.
package struct CarriedFinding: Sendable {
    let code: FindingCode
    let collection: String
    let field: String?
    let count: Int
    let severity: Severity
    let identities: [UInt64]?

    /// Describes it.
    ///
    /// - Parameters:
    ///   - count: How many documents.
    ///   - identities: How they are kept: in a form that nobody but the keeper reads; nil where they can't be told apart.
    package init(
        code: FindingCode, collection: String, field: String?, count: Int, severity: Severity, identities: [UInt64]?
    ) {
        (self.code, self.collection, self.field) = (code, collection, field)
        (self.count, self.severity, self.identities) = (count, severity, identities)
    }
}

extension CheckReport {
    /// Adds what is still known to what was found.
    package func adding(_ known: [CarriedFinding], _ schema: DatabaseSchema) -> CheckReport {
        var findings = FindingCollector()
        for finding in self.findings { findings.add(finding) }
        for item in known {
            let rule = schema.collection(item.collection)?.fields.first { $0.field == item.field }
            var finding = Finding(
                code: item.code, collection: item.collection, field: item.field, count: item.count, samples: [],
                severity: item.severity, repair: item.code == .missingField ? rule?.repair : item.code.repair)
            (finding.subjects, finding.carried, finding.carriedCount) = ([], item.identities ?? [], item.count)
            finding.hasAllSubjects = item.identities != nil
            findings.add(finding)
        }
        return CheckReport(
            findings: findings.sorted, scanned: scanned, sizes: sizes, unsettled: unsettled, unchecked: unchecked,
            isCutShort: isCutShort)
    }
}
