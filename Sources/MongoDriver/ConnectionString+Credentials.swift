extension ConnectionString {
    /// Refuses a string whose password isn't percent-encoded and holds `@` or `/`.
    ///
    /// libmongoc ends the password at the first `@`, and looks for it before the first `/` only; it would take the rest
    /// for a host, a database or options, which are no secrets and may be printed or logged.
    static func checkCredentials(_ text: String) throws(MongoError) {
        guard let scheme = text.firstRange(of: "://") else { return }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        let path = rest[authority.endIndex...].prefix { $0 != "?" }
        let ends = authority.count { $0 == "@" }
        guard ends > 1 || path.contains("@") || (ends == 0 && rest.contains("@")) else { return }
        throw MongoError(
            .connectionString,
            "The connection string can't be used: there is an '@' where none may be. "
                + "If the user name or the password holds one of @ : / ? # %, write it percent-encoded (@ as %40).")
    }
}
