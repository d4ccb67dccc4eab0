package import BSON

/// The part of a collection's options that says which documents it takes.
package enum ValidatorOptions {
    /// Adds the server's defaults for what isn't named: no validator, level `strict`, action `error`.
    static func completed(_ options: BSONDocument) -> BSONDocument {
        let defaults: [(String, BSONValue)] = [
            ("validator", [:]), ("validationLevel", "strict"), ("validationAction", "error"),
        ]
        return BSONDocument(defaults.map { ($0.0, options[$0.0] ?? $0.1) })
    }

    /// Takes `validator`, `validationLevel` and `validationAction` out of a collection's options.
    package static func extract(_ options: BSONDocument) -> BSONDocument {
        var result: BSONDocument = [:]
        for element in options.rawElements
        where ["validator", "validationLevel", "validationAction"].contains(element.key) {
            result.append(raw: element)
        }
        return result
    }
}
