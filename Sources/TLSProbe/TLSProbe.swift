internal import CSSL
internal import Glibc

/// Looks for what is wrong with TLS between this machine and a server that couldn't be reached: libmongoc knows it, but
/// says "certificate verify failed", or that the connection broke.
///
/// It makes one connection of its own, on which nothing is sent but the beginning of TLS. It blocks for a few seconds at
/// most. Nothing is decided by it but the words of an error.
package struct TLSProbe {
    /// The server.
    private let host: String
    private let port: UInt16
    private let isWanted: Bool
    private let authorities: String?
    private let certificate: String?
    private let password: String?

    /// Names what is to be looked at.
    ///
    /// - Parameters:
    ///   - host: The server's name or address.
    ///   - port: Its port.
    ///   - isWanted: Whether the connection string asks for TLS.
    ///   - authorities: The file with the certificates of authorities; nil means the system's.
    ///   - certificate: The file with the client's certificate and key, which can be used.
    ///   - password: The key's password.
    package init(
        host: String, port: UInt16, isWanted: Bool, authorities: String?, certificate: String?, password: String?
    ) {
        (self.host, self.port, self.isWanted) = (host, port, isWanted)
        (self.authorities, self.certificate, self.password) = (authorities, certificate, password)
    }

    /// What a connection showed.
    package struct Report {
        /// What is wrong, as a sentence; nil where nothing was found.
        package var finding: String?
        /// For how many whole days the server's certificate is still valid; nil where none was seen, or it has expired.
        package var daysLeft: Int?
    }

    /// Makes a connection and looks.
    package func report() -> Report {
        Self.withoutBrokenPipes {
            var daysLeft: Int?
            let finding = look(&daysLeft)
            return Report(finding: finding, daysLeft: daysLeft)
        }
    }

    private func look(_ daysLeft: inout Int?) -> String? {
        guard let descriptor = try? HostProbe(host: host, port: port).connect().get() else { return nil }
        defer { close(descriptor) }
        guard let context = SSL_CTX_new(TLS_client_method()) else { return nil }
        defer { SSL_CTX_free(context) }
        load(into: context)
        // The handshake goes on in any case; what is wrong with the certificate is asked for afterwards.
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        guard let connection = SSL_new(context) else { return nil }
        defer { SSL_free(connection) }
        expectHost(connection)
        SSL_set_fd(connection, descriptor)
        ERR_clear_error()
        let result = SSL_connect(connection)
        let isDone = result == 1
        // Nothing came in time: that is no answer.
        if !isDone, SSL_get_error(connection, result) == SSL_ERROR_WANT_READ { return nil }
        let reason = isDone ? nil : Self.reason()
        guard isWanted else {
            // An alert is an answer in TLS, too.
            return isDone || reason.map(Self.isAlert) == true
                ? "The server \(host):\(port) wants TLS: the connection string must say tls=true." : nil
        }
        guard isDone else { return sentence(reason) }
        daysLeft = Self.daysLeft(connection)
        return verdict(SSL_get_verify_result(connection)) ?? refusal(connection)
    }

    private static func daysLeft(_ connection: OpaquePointer) -> Int? {
        guard let certificate = SSL_get1_peer_certificate(connection) else { return nil }
        defer { X509_free(certificate) }
        var (days, seconds): (Int32, Int32) = (0, 0)
        // "If from is NULL the current time is used" (ASN1_TIME_diff(3)).
        guard ASN1_TIME_diff(&days, &seconds, nil, X509_get0_notAfter(certificate)) == 1, days >= 0, seconds >= 0
        else { return nil }
        return Int(days)
    }

    /// OpenSSL writes to a connection that the other side has closed, which by default ends the process (SIGPIPE). A library
    /// doesn't change what its program does about signals: this thread keeps the signal back, and takes its own away.
    private static func withoutBrokenPipes<R>(_ body: () -> R) -> R {
        var pipe = sigset_t()
        sigemptyset(&pipe)
        sigaddset(&pipe, SIGPIPE)
        var pending = sigset_t()
        sigpending(&pending)
        let wasPending = sigismember(&pending, SIGPIPE) == 1
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &pipe, &before)
        defer {
            var now = timespec()
            if !wasPending { while sigtimedwait(&pipe, nil, &now) == -1, errno == EINTR {} }
            pthread_sigmask(SIG_SETMASK, &before, nil)
        }
        return body()
    }

    private func load(into context: OpaquePointer) {
        if let authorities {
            SSL_CTX_load_verify_locations(context, authorities, nil)
        } else {
            SSL_CTX_set_default_verify_paths(context)
        }
        guard let certificate else { return }
        SSL_CTX_use_certificate_chain_file(context, certificate)
        if let password {
            password.withCString { password in
                SSL_CTX_set_default_passwd_cb_userdata(context, UnsafeMutableRawPointer(mutating: password))
                SSL_CTX_use_PrivateKey_file(context, certificate, SSL_FILETYPE_PEM)
            }
        } else {
            SSL_CTX_use_PrivateKey_file(context, certificate, SSL_FILETYPE_PEM)
        }
    }

    private func expectHost(_ connection: OpaquePointer) {
        let parameters = SSL_get0_param(connection)
        guard X509_VERIFY_PARAM_set1_ip_asc(parameters, host) != 1 else { return }
        SSL_set1_host(connection, host)
        // SSL_set_tlsext_host_name(3), a macro: the name that a server with several certificates chooses by.
        host.withCString { name in
            _ = SSL_ctrl(
                connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name),
                UnsafeMutableRawPointer(mutating: name))
        }
    }

    /// What is wrong with the server's certificate (x509_verify_cert(3), "ERROR CODES").
    private func verdict(_ code: Int) -> String? {
        let certificate = "The certificate of the server \(host):\(port)"
        switch Int32(code) {
        case X509_V_OK: return nil
        case X509_V_ERR_CERT_HAS_EXPIRED: return "\(certificate) has expired."
        case X509_V_ERR_CERT_NOT_YET_VALID: return "\(certificate) isn't valid yet; look at this machine's clock too."
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "\(certificate) is for another host: it doesn't name \(host)."
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return "\(certificate) is from an authority that isn't known here: name its certificate in tlsCAFile."
        default:
            return "\(certificate) isn't valid: \(String(cString: X509_verify_cert_error_string(code)))."
        }
    }

    /// What the server thinks of this side's certificate. It says so after the handshake, by an alert, or as `mongod` does by
    /// ending the connection; where it has nothing against it, it waits.
    private func refusal(_ connection: OpaquePointer) -> String? {
        var byte: UInt8 = 0
        ERR_clear_error()
        let result = SSL_peek(connection, &byte, 1)
        guard result <= 0, SSL_get_error(connection, result) != SSL_ERROR_WANT_READ else { return nil }
        return refusedCertificate(Self.reason())
    }

    private func refusedCertificate(_ reason: Int32?) -> String {
        if certificate == nil {
            return "The server \(host):\(port) wants a client certificate: name one in tlsCertificateKeyFile."
        }
        var words = ""
        if let reason, Self.isAlert(reason), let text = ERR_reason_error_string(UInt(reason) | UInt(ERR_LIB_SSL) << 23)
        {
            words = ": " + String(cString: text)
        }
        return "The server \(host):\(port) refuses the certificate of tlsCertificateKeyFile\(words)."
    }

    /// What a handshake that failed means.
    private func sentence(_ reason: Int32?) -> String {
        if let reason, Self.versionAlerts.contains(reason) {
            return "The server \(host):\(port) speaks no version of TLS, or no cipher, that is known here."
        }
        if let reason, Self.isAlert(reason) { return refusedCertificate(reason) }
        return "The server \(host):\(port) doesn't speak TLS, as the connection string asks it to."
    }

    /// Why the last call failed, by OpenSSL's own numbers; nil where the connection merely ended.
    private static func reason() -> Int32? {
        let error = ERR_get_error()
        return error == 0 ? nil : Int32(truncatingIfNeeded: error & 0x7F_FFFF)
    }

    /// "SSL_AD_REASON_OFFSET": what lies above came from the other side as an alert.
    private static let alerts: Int32 = 1000
    /// The alerts `protocol_version` and `insufficient_security` (RFC 8446, section 6).
    private static let versionAlerts: Set<Int32> = [alerts + 70, alerts + 71]
    private static func isAlert(_ reason: Int32) -> Bool { (alerts..<alerts + 256).contains(reason) }
}
