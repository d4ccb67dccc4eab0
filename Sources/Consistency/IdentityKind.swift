internal import BSON

/// What an `_id` that isn't an ObjectId is.
enum IdentityKind: Sendable {
    case empty
    case null
    /// The text of this ObjectId.
    case text(ObjectID)
    case foreign

    init(_ id: BSONValue) {
        switch id {
        case .string(""): self = .empty
        case .null: self = .null
        case .string(let text): self = ObjectID(hex: text).map { .text($0) } ?? .foreign
        default: self = .foreign
        }
    }

    var code: FindingCode {
        switch self {
        case .empty: .emptyID
        case .null: .nullID
        case .text: .textID
        case .foreign: .foreignID
        }
    }
}

/// The document that a reference or an owner field names, whether it says so as an ObjectId or as its text.
enum Identity {
    static func objectID(_ value: BSONValue?) -> ObjectID? {
        switch value {
        case .objectID(let id): id
        case .string(let text): ObjectID(hex: text)
        default: nil
        }
    }
}
