internal import InputFiles

/// The names of settings.
enum SettingName {
    /// The tool's own variables, and then the application's.
    static let variables = own + application
    /// The keys of `chat-admin.yaml`.
    static let keys = ["uri", "database"]

    private static let own = ["CHAT_ADMIN_URI", "CHAT_ADMIN_DATABASE"]
    /// The application's own.
    static let application = [
        "MONGO_HOST", "MONGO_PORT", "MONGO_USERNAME", "MONGO_PASSWORD", "MONGO_DATABASE_NAME",
    ]

    /// What this project's scripts and tests read.
    private static let development: Set<String> = [
        "BIN", "DEMO", "DRIVER_ONLY", "FAULTS", "FAULTS_ONLY", "GOLDEN", "MESSAGES", "MONGOD", "MONGOD_CACHE_GB",
        "PHASES",
        "PROMTOOL",
        "PYTHON", "SANDBOXES",
        "WARNINGS_AS_ERRORS",
    ]

    /// Why a variable can't be meant, to stand behind its name; nil for a known one, and for everybody else's.
    static func objection(to name: String) -> String? {
        let prefix = "CHAT_ADMIN_"
        if let known = application.first(where: { $0 == name.uppercased() && $0 != name }) {
            return "isn't read: names are in capital letters. Write \(known)."
        }
        guard name.uppercased().hasPrefix(prefix), !own.contains(name) else { return nil }
        let rest = String(name.dropFirst(prefix.count))
        if development.contains(rest) && name.hasPrefix(prefix) { return nil }
        let near = nearest(to: name).map { "Write \($0)." } ?? "Known are \(Readable.list(own))."
        return "isn't known. \(near)"
    }

    /// The application's variable that was meant by another one for the same server, such as MONGO_DB; nil for everybody
    /// else's.
    static func applications(meantBy name: String) -> String? {
        guard !variables.contains(name) else { return nil }
        for prefix in ["MONGO_", "MONGODB_"] where name.uppercased().hasPrefix(prefix) {
            switch synonyms[String(name.uppercased().dropFirst(prefix.count))] {
            case "CHAT_ADMIN_DATABASE": return "MONGO_DATABASE_NAME"
            case let known? where application.contains(known): return known
            default: return nil
            }
        }
        return nil
    }

    /// Whether Kubernetes, or Docker before it, made a variable for a service of that name; no person did.
    static func isInjected(_ name: String, _ value: String) -> Bool {
        guard name.hasPrefix("CHAT_ADMIN") || name.hasPrefix("MONGO") else { return false }
        if name.hasSuffix("_PORT") && value.contains("://") { return true }
        return name.wholeMatch(of: /.*_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)/) != nil
    }

    /// The variable that somebody meant.
    static func nearest(to name: String) -> String? {
        let upper = name.uppercased()
        for prefix in ["CHAT_ADMIN_", "MONGODB_", "MONGO_", "DATABASE_", "DB_"] where upper.hasPrefix(prefix) {
            if let known = synonyms[String(upper.dropFirst(prefix.count))] { return known }
        }
        return NearestName.of(name, among: variables)
    }

    /// The key that somebody meant.
    static func nearestKey(to name: String) -> String? {
        switch nearest(to: "CHAT_ADMIN_\(name)") {
        case "CHAT_ADMIN_URI": "uri"
        case "CHAT_ADMIN_DATABASE", "MONGO_DATABASE_NAME": "database"
        default: NearestName.of(name, among: keys)
        }
    }

    private static let synonyms = [
        "URI": "CHAT_ADMIN_URI", "URL": "CHAT_ADMIN_URI", "CONNECTION_STRING": "CHAT_ADMIN_URI",
        "DSN": "CHAT_ADMIN_URI",
        "CONNECTION": "CHAT_ADMIN_URI", "DB": "CHAT_ADMIN_DATABASE", "DATABASE": "CHAT_ADMIN_DATABASE",
        "DB_NAME": "CHAT_ADMIN_DATABASE", "DATABASE_NAME": "CHAT_ADMIN_DATABASE", "NAME": "CHAT_ADMIN_DATABASE",
        "HOST": "MONGO_HOST", "HOSTNAME": "MONGO_HOST", "SERVER": "MONGO_HOST", "PORT": "MONGO_PORT",
        "USER": "MONGO_USERNAME", "USERNAME": "MONGO_USERNAME", "PASSWORD": "MONGO_PASSWORD", "PASS": "MONGO_PASSWORD",
        "PWD": "MONGO_PASSWORD",
    ]
}
