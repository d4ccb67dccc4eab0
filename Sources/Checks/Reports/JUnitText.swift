internal import Consistency

/// A check's outcome as a JUnit report, as CI servers read it: a test case for each code, and one for each finding.
package struct JUnitText {
    /// The report.
    package let text: String

    private struct Case {
        let name: String
        var element: String?
    }

    /// Makes the report.
    package init(_ outcome: CheckOutcome) {
        let suite = "chat-admin check " + outcome.database
        var cases: [Case] = []
        let found = Set(outcome.found.map(\.name.code))
        if outcome.hasLookedAtAll {
            for code in outcome.codes where !found.contains(code.rawValue) { cases.append(Case(name: code.rawValue)) }
        }
        for item in outcome.found {
            let place = [item.name.collection, item.name.field].compactMap { $0 }.joined(separator: ".")
            var text = "\(item.count) document\(item.count == 1 ? "" : "s")"
            let parts = [("new", item.new), ("known", item.known), ("accepted", item.accepted)].filter { $1 > 0 }
            if !parts.isEmpty { text += " (" + parts.map { "\($1) \($0)" }.joined(separator: ", ") + ")" }
            let element =
                item.fails
                ? Self.element("failure", ["message": text, "type": item.severity.rawValue], text)
                : Self.element("system-out", [:], text)
            cases.append(Case(name: "\(item.name.code) \(place)", element: element))
        }
        for part in outcome.unchecked {
            cases.append(Case(name: part, element: Self.element("skipped", ["message": "not looked at"], nil)))
        }
        if let failure = outcome.failure {
            cases.append(
                Case(
                    name: outcome.hasLooked ? "record" : "look",
                    element: Self.element("error", ["message": failure, "type": "error"], failure)))
        }
        let time = String(Double(outcome.durationMS) / 1000)
        func count(_ element: String) -> String {
            String(cases.count { $0.element?.hasPrefix("<\(element)") ?? false })
        }
        let attributes = [
            "name": suite, "tests": "\(cases.count)", "failures": count("failure"), "errors": count("error"),
            "skipped": count("skipped"), "time": time,
        ]
        let body = cases.map { item in
            "    "
                + Self.element(
                    "testcase", ["name": item.name, "classname": suite, "time": "0"], item.element, isMarkup: true)
        }
        text =
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  "
            + Self.element(
                "testsuite", attributes, "\n" + body.map { $0 + "\n" }.joined() + "  ", isMarkup: true)
            + "\n</testsuites>\n"
    }

    private static func element(
        _ name: String, _ attributes: [String: String], _ content: String?, isMarkup: Bool = false
    ) -> String {
        let attributes = attributes.sorted { $0.key < $1.key }.map { " \($0)=\"\(escaped($1))\"" }.joined()
        guard let content else { return "<\(name)\(attributes)/>" }
        return "<\(name)\(attributes)>\(isMarkup ? content : escaped(content))</\(name)>"
    }

    /// Text as XML 1.0 may hold it: some characters can't be written at all (https://www.w3.org/TR/xml/#charsets).
    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\t", "\n", "\r": result += "&#\(scalar.value);"
            case "\u{0}"..<" ", "\u{FFFE}"..."\u{FFFF}": result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
