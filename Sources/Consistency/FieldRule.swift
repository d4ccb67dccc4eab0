package import BSON

/// What a field must hold: whether it may be absent, and of which types its values are.
///
/// References, counters and what no two documents may share have declarations of their own.
package struct FieldRule: Sendable {
    /// The field, top-level.
    package let field: String
    /// The types that the application's models take. Null isn't among them: see ``absence``.
    package let types: Set<BSONType>
    /// What it means where the field is absent or null.
    package let absence: Absence

    /// What an absent field means.
    package enum Absence: Sendable {
        /// Nothing.
        case allowed
        /// The application can't do without it; nothing tells what it should be.
        case reported(Severity)
        /// The application can't do without it; it becomes this value.
        case becomes(BSONValue)
        /// The application can't do without it; it becomes what another field says, if that is text and not empty.
        case copies(String)
        /// The application can't do without it, but null will do; recounting sets it (``Counter/latestField``).
        case recounted
    }

    /// Declares a rule.
    package init(_ field: String, _ types: Set<BSONType>, absence: Absence = .allowed) {
        self.field = field
        self.types = types
        self.absence = absence
    }

    /// What is wrong with a value of this type, if anything; nil stands for a field that is absent.
    func code(of type: BSONType?) -> FindingCode? {
        switch (type, absence) {
        case (nil, .allowed), (.null, .allowed), (.null, .recounted): nil
        case (nil, _), (.null, _): .missingField
        case (let type?, _): types.contains(type) ? nil : .fieldType
        }
    }

    /// What the field becomes in a document that lacks it, or nil where nothing tells.
    func filling(of document: BSONDocument) -> BSONValue? {
        switch absence {
        case .allowed, .reported, .recounted: return nil
        case .becomes(let value): return value
        case .copies(let other):
            guard let text = document[other]?.string, !text.isEmpty else { return nil }
            return .string(text)
        }
    }

    /// The fields that have to be read to fill it.
    var sources: [String] {
        if case .copies(let other) = absence { [field, other] } else { [field] }
    }

    /// How bad it is where the field is absent.
    var severityOfAbsence: Severity {
        if case .reported(let severity) = absence { severity } else { .error }
    }

    /// The command that fills it, or nil where none can.
    var repair: String? {
        switch absence {
        case .allowed, .reported: nil
        case .becomes, .copies: "repair fields"
        case .recounted: "repair counts"
        }
    }

    /// Whether the repair of fields fills it.
    var isFilled: Bool {
        switch absence {
        case .becomes, .copies: true
        case .allowed, .reported, .recounted: false
        }
    }

    /// What it becomes, in words.
    var fillingInWords: String {
        switch absence {
        case .becomes(let value): "becomes \(value)"
        case .copies(let other): "becomes what \(other) says"
        case .allowed, .reported, .recounted: "is left"
        }
    }
}
