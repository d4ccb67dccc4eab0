/// Why a text can't be used as YAML.
package struct YAMLFailure: Error, Sendable, CustomStringConvertible {
    /// The line and the reason; nothing of the text is in it but keys and the names of anchors.
    package let description: String

    init(_ line: Int, _ reason: String) { description = "line \(line): \(reason)" }
}
