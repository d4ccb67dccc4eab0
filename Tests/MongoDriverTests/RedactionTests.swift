import MongoDriver
import Testing

@Suite("Redaction")
struct RedactionTests {
    @Test(
        "hides credentials, wherever the connection string stands",
        arguments: [
            ("mongodb://user:s3cr3t@host:27017/db", "mongodb://***@host:27017/db"),
            ("mongodb+srv://user:s3cr3t@host", "mongodb+srv://***@host"),
            ("MongoDB://user:s3cr3t@host", "MongoDB://***@host"),
            ("--uri=mongodb://user:s3cr3t@host", "--uri=mongodb://***@host"),
            ("mongodb://user:two s3cr3t@host", "mongodb://***@host"),
            ("mongodb://user:\"s3cr3t'@host", "mongodb://***@host"),
            ("mongodb://user:p@s3cr3t@host", "mongodb://***@host"),
            ("mongodb://user:p/s3cr3t?@host/db", "mongodb://***@host/db"),
            ("mongodb://host/?tlsCertificateKeyFilePassword=s3cr3t", "mongodb://host/?***"),
            ("mongodb://host/?tlsCertificateKeyFilePassword=a s3cr3t", "mongodb://host/?***"),
            ("mongodb://user:s3cr3t", "mongodb://***"),
            ("mongodb://user:s3cr3t cut off", "mongodb://*** cut off"),
            ("mongodb://user:12/s3cr3t@host", "mongodb://***@host"),
            ("a mongodb://u:s3cr3t@a and mongodb://u:s3cr3t@b.", "a mongodb://***@a and mongodb://***@b."),
            ("first line mongodb://u:s3cr3t@a\nsecond line x@y", "first line mongodb://***@a\nsecond line x@y"),
            ("'mongodb://u:s3cr3t@a/?x=s3cr3t' failed", "'mongodb://***@a/?***' failed"),
        ])
    func hides(text: String, expected: String) { #expect(Redaction.redact(text) == expected) }

    @Test(
        "leaves everything else as it is",
        arguments: [
            "", "nothing to hide", "mongodb", "mongodb://", "http://user:pass@host", "mongodb://localhost",
            "mongodb://127.0.0.1:27017: connection refused", "mongodb://a:1,b:2/db.", "(mongodb://[::1]:27017)",
            "mongodb+srv://cluster.example.net/chat", "user@host wrote: mongodb://host", "a ://b",
        ])
    func leaves(text: String) { #expect(Redaction.redact(text) == text) }

    @Test("hides credentials in errors, whoever makes them")
    func hidesInErrors() {
        let error = MongoError(.server, "mongodb://u:s3cr3t@h is down")
        #expect(error.message == "mongodb://***@h is down")
        #expect(!String(reflecting: error).contains("s3cr3t"))
    }
}
