/// A notation for developers, close to Extended JSON: one line, integers of 64 bits marked, decimals as their bits.
struct BSONDebugPrinter {
    /// The text so far.
    private(set) var output = ""

    /// Prints a value at a depth; below ``BSONDocument/maximumDepth`` levels only an ellipsis.
    mutating func print(_ value: BSONValue, depth: Int) {
        switch value {
        case .double(let number): output += number.description
        case .string(let text): output += Self.quoted(text)
        case .invalidString(let bytes): output += Self.quoted(String(decoding: bytes, as: UTF8.self))
        case .document(let document): print(document, depth: depth)
        case .array(let array): print(array, depth: depth)
        case .bool(let flag): output += flag ? "true" : "false"
        case .null: output += "null"
        case .int32(let number): output += number.description
        case .undefined: output += "{\"$undefined\": true}"
        case .minKey: output += "{\"$minKey\": 1}"
        case .maxKey: output += "{\"$maxKey\": 1}"
        case .objectID(let id): wrap("$oid", id.hex)
        case .int64(let number): wrap("$numberLong", number.description)
        case .symbol(let text): wrap("$symbol", text)
        case .javascript(let text): wrap("$code", text)
        case .date(let milliseconds): output += "{\"$date\": {\"$numberLong\": \"\(milliseconds)\"}}"
        case .binary, .regularExpression, .dbPointer, .timestamp, .decimal128, .javascriptWithScope:
            printCompound(value, depth: depth)
        }
    }

    /// Prints a value whose notation has several parts.
    private mutating func printCompound(_ value: BSONValue, depth: Int) {
        switch value {
        case .binary(let binary):
            let subtype = Hexadecimal.string(of: [binary.subtype])
            let data = Hexadecimal.string(of: binary.bytes)
            output += "{\"$binary\": {\"hex\": \"\(data)\", \"subType\": \"\(subtype)\"}}"
        case .regularExpression(let expression):
            let (pattern, options) = (Self.quoted(expression.pattern), Self.quoted(expression.options))
            output += "{\"$regularExpression\": {\"pattern\": \(pattern), \"options\": \(options)}}"
        case .dbPointer(let pointer):
            output += "{\"$dbPointer\": {\"$ref\": \(Self.quoted(pointer.namespace)), \"$id\": "
            wrap("$oid", pointer.id.hex)
            output += "}}"
        case .timestamp(let timestamp):
            output += "{\"$timestamp\": {\"t\": \(timestamp.seconds), \"i\": \(timestamp.increment)}}"
        case .decimal128(let number):
            output += "{\"$decimal128\": {\"high\": \"0x\(String(number.high, radix: 16))\", "
            output += "\"low\": \"0x\(String(number.low, radix: 16))\"}}"
        case .javascriptWithScope(let code):
            output += "{\"$code\": \(Self.quoted(code.code)), \"$scope\": "
            print(code.scope, depth: depth)
            output += "}"
        default:
            break
        }
    }

    private mutating func print(_ document: BSONDocument, depth: Int) {
        guard depth < BSONDocument.maximumDepth else {
            output += "{…}"
            return
        }
        output += "{"
        var separator = ""
        for element in document.elements {
            output += separator + Self.quoted(element.key) + ": "
            print(element.value, depth: depth + 1)
            separator = ", "
        }
        output += "}"
    }

    private mutating func print(_ array: BSONArray, depth: Int) {
        guard depth < BSONDocument.maximumDepth else {
            output += "[…]"
            return
        }
        output += "["
        var separator = ""
        for value in array {
            output += separator
            print(value, depth: depth + 1)
            separator = ", "
        }
        output += "]"
    }

    private mutating func wrap(_ key: String, _ text: String) {
        output += "{\"\(key)\": \(Self.quoted(text))}"
    }

    /// The text in double quotes, with quotes, backslashes and control characters escaped as in JSON.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value):
                let byte = UInt8(truncatingIfNeeded: scalar.value)
                result += "\\u00" + Hexadecimal.string(of: [byte])
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
