internal import CMongoC
internal import Glibc
internal import InputFiles

/// The files that a connection string names for TLS, tried before anything is sent: libmongoc finds a wrong one at each
/// attempt to connect, again and again, and says of it only that no server answered.
enum TLSFiles {
    /// Tries the files of a connection string.
    ///
    /// - Throws: ``MongoError`` of kind `connectionString` that names the file and what is wrong with it.
    static func check(_ uri: OpaquePointer) throws(MongoError) {
        guard mongoc_uri_get_tls(uri) else { return }
        if let file = mongoc_uri_get_option_as_utf8(uri, MONGOC_URI_TLSCAFILE, nil) {
            _ = try read(file, "tlsCAFile")
            var options = mongoc_ssl_opt_t()
            options.ca_file = file
            guard isUsable(&options) else {
                throw refusal("tlsCAFile", file, "holds no certificate in PEM format")
            }
        }
        guard let file = mongoc_uri_get_option_as_utf8(uri, MONGOC_URI_TLSCERTIFICATEKEYFILE, nil) else { return }
        let text = try read(file, "tlsCertificateKeyFile")
        for (marker, what) in [("CERTIFICATE-----", "certificate"), ("PRIVATE KEY-----", "private key")]
        where !text.contains(marker) {
            throw refusal("tlsCertificateKeyFile", file, "holds no \(what) in PEM format")
        }
        let password = mongoc_uri_get_option_as_utf8(uri, MONGOC_URI_TLSCERTIFICATEKEYFILEPASSWORD, nil)
        // Without a password OpenSSL would ask for one on the terminal.
        guard password != nil || !text.contains("ENCRYPTED") else {
            throw refusal("tlsCertificateKeyFile", file, "is encrypted, and there is no tlsCertificateKeyFilePassword")
        }
        var options = mongoc_ssl_opt_t()
        options.pem_file = file
        options.pem_pwd = password
        guard isUsable(&options) else {
            throw refusal(
                "tlsCertificateKeyFile", file,
                "can't be used: the certificate and the private key must belong together, and "
                    + "tlsCertificateKeyFilePassword be right where the key is encrypted")
        }
    }

    private static func refusal(_ option: String, _ file: UnsafePointer<CChar>, _ what: String) -> MongoError {
        MongoError(.connectionString, "The connection string's \(option), \(String(cString: file)), \(what).")
    }

    private static func read(_ file: UnsafePointer<CChar>, _ option: String) throws(MongoError) -> String {
        let bytes: [UInt8]
        do {
            bytes = try InputFile.readOrdinary(String(cString: file), limit: limit)
        } catch {
            throw refusal(option, file, "can't be read: \(error)")
        }
        guard !InputFile.isWide(bytes) else {
            throw refusal(option, file, "holds no PEM format: it is UTF-16, or binary, such as DER or PKCS #12")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The most bytes of a file: a system's whole bundle of authorities has a quarter of it.
    private static let limit = 1 << 20

    /// Lets libmongoc load files as it does for a connection, over a socket that isn't connected.
    private static func isUsable(_ options: inout mongoc_ssl_opt_t) -> Bool {
        guard let socket = mongoc_socket_new(AF_INET, Int32(SOCK_STREAM.rawValue), 0),
            let base = mongoc_stream_socket_new(socket)
        else { return true }
        let stream = MongoRuntime.withoutLog { mongoc_stream_tls_new_with_hostname(base, "localhost", &options, 1) }
        mongoc_stream_destroy(stream ?? base)
        return stream != nil
    }
}
