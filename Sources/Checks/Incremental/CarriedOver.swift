internal import BSON
package import Consistency
internal import Synchronization

/// What an earlier check has found, as far as a check of what has changed hasn't looked at it again.
package final class CarriedOver: Sendable {
    /// Why nothing can be carried over.
    package struct Objection: Error, CustomStringConvertible, Sendable {
        /// Why, to stand behind "because".
        package let description: String
    }

    private struct Item {
        let finding: CheckRecord.Item
        /// Whether each identity stands for one document.
        let isByDocument: Bool
        var identities: Set<UInt64>
        /// Those that no check has seen since the present round of the whole began.
        var unconfirmed: Set<UInt64>
    }

    private let schema: DatabaseSchema
    private let items: Mutex<[FindingName: Item]>

    /// Takes over what a check has found.
    ///
    /// - Parameters:
    ///   - record: The check.
    ///   - codes: What is looked for.
    ///   - schema: What is right.
    ///   - slices: The parts of the whole that are looked at besides: where one is the first of its round, nothing that is
    ///     known has been seen in it.
    /// - Throws: ``Objection`` where documents of the check can't be told apart.
    package init(
        _ record: CheckRecord, _ codes: Set<FindingCode>, _ schema: DatabaseSchema, _ slices: [String: SliceRange]
    ) throws(Objection) {
        var items: [FindingName: Item] = [:]
        for item in record.items {
            // Everything else is looked at whole.
            guard let code = FindingCode(rawValue: item.name.code), codes.contains(code), code.isCarried else {
                continue
            }
            // What holds no references is looked at whole, or is as it was.
            let isWhole = schema.collection(item.name.collection)?.references.isEmpty ?? true
            guard let identities = item.identities ?? (isWhole ? [] : nil) else {
                let place = item.name.collection + (item.name.field.map { ".\($0)" } ?? "")
                throw Objection(
                    description:
                        "check \(record.number) couldn't tell the documents apart that have \(code.rawValue) in \(place)"
                )
            }
            let isFirst = slices[item.name.collection].map { $0.lower == nil } ?? false
            items[item.name] = Item(
                finding: item, isByDocument: !isWhole && code != .orphan, identities: Set(identities),
                unconfirmed: Set(isFirst ? identities : item.unconfirmed ?? []))
        }
        self.schema = schema
        self.items = Mutex(items)
    }

    /// By collection, the fields in which references to what isn't there are known.
    package var orphaned: [String: Set<String>] { items.withLock { FindingName.orphaned($0.keys) } }

    /// Forgets what was looked at: what is still wrong of it is found again.
    ///
    /// - Throws: `ChecksumError`.
    package func note(_ looked: Looked) throws {
        try items.withLock { items in
            switch looked {
            case .all(let codes, let collection, let field):
                let codes = Set(codes.map(\.rawValue))
                for name in items.keys
                where codes.contains(name.code) && name.collection == collection && name.field == field ?? name.field {
                    items[name] = nil
                }
            case .documents(let ids, let collection):
                try Self.forget(ids, collection, &items) { !$0.isOfCounter }
            // All of these are looked at.
            case .identities: break
            case .counters(let ids, let collection):
                try Self.forget(ids, collection, &items) { $0.isOfCounter }
            }
        }
    }

    private static func forget(
        _ ids: [BSONValue], _ collection: String, _ items: inout [FindingName: Item],
        _ isLookedFor: (FindingCode) -> Bool
    ) throws {
        for (name, item) in items where name.collection == collection && item.isByDocument {
            guard FindingCode(rawValue: name.code).map(isLookedFor) ?? false else { continue }
            var item = item
            for id in ids {
                let identity = try name.identity(of: id)
                item.identities.remove(identity)
                item.unconfirmed.remove(identity)
            }
            items[name] = item.identities.isEmpty ? nil : item
        }
    }

    /// Adds to what was found what is still known.
    ///
    /// - Parameter slices: The parts of the whole that were looked at besides. At the end of a round what nobody has seen in
    ///   it is gone.
    package func added(to report: CheckReport, _ slices: [String: SliceRange]) -> CheckReport {
        let kept = items.withLock { items in
            for (name, item) in items where item.isByDocument {
                guard let slice = slices[name.collection], slice.upper == nil else { continue }
                items[name]?.identities.subtract(item.unconfirmed)
                items[name]?.unconfirmed = []
            }
            return items.values.filter { !$0.isByDocument || !$0.identities.isEmpty }
        }
        return report.adding(
            kept.compactMap { item in
                let name = item.finding.name
                guard let code = FindingCode(rawValue: name.code),
                    let severity = Severity(rawValue: item.finding.severity)
                else { return nil }
                return CarriedFinding(
                    code: code, collection: name.collection, field: name.field,
                    count: item.isByDocument ? item.identities.count : item.finding.count, severity: severity,
                    identities: item.finding.identities == nil ? nil : item.identities.sorted())
            }, schema)
    }

    /// Of what a finding has carried over, what no check has seen in the present round.
    package func unconfirmed(_ name: FindingName) -> [UInt64] {
        items.withLock { $0[name]?.unconfirmed.sorted() ?? [] }
    }
}

extension FindingCode {
    /// Whether it is about documents, or their users: in references, fields and counters. Everything else is looked at whole.
    fileprivate var isCarried: Bool {
        switch self {
        case .duplicateUser, .lookalikeUser, .missingPassword, .emptyReference, .textReference, .missingReference,
            .danglingReference, .foreignOwner, .orphan,
            .missingField, .fieldType, .wrongCount, .countType, .wrongLatest:
            true
        default: false
        }
    }
}
