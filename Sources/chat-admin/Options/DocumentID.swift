internal import ArgumentParser
internal import BSON
internal import MongoDriver

/// An `_id` as people write it on a command line.
struct DocumentID: ExpressibleByArgument {
    /// The values that may be meant: `6909…` is an ObjectId or its text, `5` a number or a text.
    let values: [BSONValue]
    /// As it was written.
    let text: String

    /// - Returns: nil for JSON that can't be read.
    init?(argument: String) {
        text = argument
        if text.hasPrefix("{") || text.hasPrefix("\"") {
            guard let document = try? ExtendedJSON.document("{\"_id\": \(text)}"), let value = document["_id"] else {
                return nil
            }
            values = [value]
            return
        }
        var values: [BSONValue] = []
        if let id = ObjectID(hex: text) { values.append(.objectID(id)) }
        if text == "null" { values.append(.null) }
        if let flag = Bool(text) { values.append(.bool(flag)) }
        if let number = Int32(text) { values.append(.int32(number)) }
        if let number = Int64(text) { values.append(.int64(number)) }
        if let number = Double(text), text.contains(where: \.isNumber) { values.append(.double(number)) }
        self.values = values + [.string(text)]
    }
}
