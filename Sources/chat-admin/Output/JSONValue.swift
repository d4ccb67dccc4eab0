internal import BSON
internal import FoundationEssentials
internal import MongoDriver

/// Any JSON, for documents within a result.
enum JSONValue: Codable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// A document as canonical Extended JSON.
    ///
    /// Text that isn't UTF-8 can't be JSON; such a document is shown by its keys alone.
    init(_ document: BSONDocument) {
        guard let text = try? ExtendedJSON.canonical(document),
            let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        else {
            self = .object(["keys": .array(document.keys.map { .string($0) })])
            return
        }
        self = value
    }

    /// A single value as canonical Extended JSON.
    init(of value: BSONValue) {
        let document = JSONValue(["value": value])
        guard case .object(let fields) = document, let value = fields["value"] else {
            self = document
            return
        }
        self = value
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
