import MongoDriver
import Testing

@Suite("A connection string")
struct ConnectionStringTests {
    static let secret = "s3cr3t"

    /// Strings that libmongoc takes, each with the secret in it where people put secrets.
    static let valid = [
        "mongodb://user:s3cr3t@host",
        "mongodb://user:s3cr3t@host:27017,other:27018/chat?authSource=admin",
        "mongodb://user:two%20s3cr3t@host/",
        "mongodb://user:two s3cr3t@host/",
        "mongodb://user:qu\"o's3cr3t@host/",
        "mongodb://us?er:s3cr3t#?x@host/chat",
        "mongodb://user:s3cr3t%40%2F%3A%25@host/chat?appname=me",
        "mongodb://user@host/?tlsCertificateKeyFilePassword=s3cr3t",
        "mongodb://user@host/?tls=true&tlsCertificateKeyFilePassword=a%20s3cr3t",
    ]

    /// Strings that can't be used, each with the secret in it.
    static let malformed = [
        "user:s3cr3t@host", "s3cr3t", "MONGODB://user:s3cr3t@host", "mongodb:/user:s3cr3t@host",
        " mongodb://user:s3cr3t@host", "mongodb://user:s3cr3t@", "mongodb://user:s3cr3t@/chat",
        "mongodb://user:s3cr3t@host:99999", "mongodb://user:s3cr3t@host:port", "mongodb://user:p@s3cr3t@host",
        "mongodb://user:s3cr3t@@host", "mongodb://user:p:s3cr3t@host", "mongodb://user:p/s3cr3t@host/chat",
        "mongodb://user:12/s3cr3t@host", "mongodb://user:12/a?s3cr3t@host", "mongodb://user:12/a?s3cr3t=x@host",
        "mongodb://user:12/a?b=s3cr3t@host", "mongodb://user:12?readPreference=s3cr3t@host",
        "mongodb://user:s3cr3t%zz@host", "mongodb://user:s3cr3t%ff@host", "mongodb://us:er:s3cr3t@host",
        "mongodb://:s3cr3t@host:1:2", "mongodb://user:s3cr3t@[::1", "mongodb+srv://user:s3cr3t@host",
        "mongodb+srv://user:s3cr3t@a.b.c:27017", "mongodb+srv://user:s3cr3t@a.b.c,d.e.f",
        "mongodb://user:pass@host/?authMechanism=MONGODB-X509&x=s3cr3t",
        "mongodb://user@host/?readPreference=s3cr3t",
        "mongodb://user@host/?tlsCertificateKeyFilePassword=\u{FF}s3cr3t&maxPoolSize=s3cr3t",
        "mongodb://user@host/?sslclientcertificatekeypassword=s3cr3t&tlsCertificateKeyFilePassword=other-s3cr3t",
        "mongodb://user:s3cr3t@host/?directConnection=true&replicaSet", "mongodb://user:s3cr3t@host/?=",
        "mongodb://user:s3cr3t@a,b/?directConnection=true", "mongodb://user:s3cr3t\u{0}@host",
        "mongodb://user:s3cr3t@host/a b?w=-7&journal=s3cr3t", "mongodb://user:s3cr3t@host/?maxPoolSize=",
    ]

    private func printed(_ string: ConnectionString) -> String {
        var dumped = ""
        dump(string, to: &dumped)
        dump(["key": [string]], to: &dumped)
        return [
            "\(string)", string.description, string.debugDescription, String(reflecting: string), dumped,
            "\(Mirror(reflecting: string).children.map { "\($0)" })", "\(Optional(string) as Any)", "\([string])",
        ].joined(separator: "\n")
    }

    @Test("shows no password, however it is printed", arguments: valid)
    func hidesPassword(text: String) throws {
        let string = try ConnectionString(text)
        #expect(!printed(string).contains(Self.secret))
        #expect(string.username == (text.contains("us?er") ? "us?er" : "user"))
        #expect(string.hosts.first == "host:27017")
    }

    @Test("that can't be used is refused without repeating its password", arguments: malformed)
    func hidesPasswordInErrors(text: String) {
        do {
            // Some of these libmongoc takes after all; then nothing of them may be shown either.
            let string = try ConnectionString(text)
            #expect(!printed(string).contains(Self.secret), "\(string)")
        } catch {
            #expect(error.kind == .connectionString)
            #expect(!"\(error) \(error.message) \(String(reflecting: error))".contains(Self.secret), "\(error)")
            #expect(error.message.count > 20, "\(error)")
        }
    }
}
