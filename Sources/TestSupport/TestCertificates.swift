internal import Foundation
internal import Subprocess

/// Certificates of an authority of the tests' own, as files in a folder that is removed with ``remove()``.
package struct TestCertificates: Sendable {
    private let folder: String

    /// The certificate of the authority.
    package var authority: String { folder + "/ca.pem" }
    /// The certificate of an authority that signed none of these.
    package var stranger: String { folder + "/stranger.pem" }
    /// A server's certificate for 127.0.0.1, with its key.
    package var server: String { folder + "/server.pem" }
    /// One that has expired.
    package var expired: String { folder + "/expired.pem" }
    /// One for another host.
    package var otherHost: String { folder + "/other.pem" }
    /// A client's certificate, with its key.
    package var client: String { folder + "/client.pem" }
    /// A client's certificate that its own key signed, and that no authority knows.
    package var foreign: String { folder + "/foreign.pem" }
    /// The client's certificate with its key under the password `s3cr3t`.
    package var locked: String { folder + "/locked.pem" }
    /// The client's certificate with another's key.
    package var mixed: String { folder + "/mixed.pem" }
    /// Text that is no certificate.
    package var text: String { folder + "/text.pem" }
    /// Something that begins as a certificate does.
    package var broken: String { folder + "/broken.pem" }
    /// No file at all.
    package var missing: String { folder + "/missing.pem" }
    /// The name by which a server knows that client.
    package static let clientName = "CN=client,OU=tools,O=tests"

    private static let script = """
        set -e; cd "$1"
        make_ca() { # NAME
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem"
        }
        make() { # NAME SUBJECT HOST DAYS
            openssl req -newkey rsa:2048 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr"
            printf 'subjectAltName=%s\\n' "$3" >"$1.ext"
            openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$4" -extfile "$1.ext" -out "$1.crt"
            cat "$1.crt" "$1.key" >"$1.pem"
        }
        make_ca ca; make_ca stranger
        make server /O=tests/OU=servers/CN=127.0.0.1 IP:127.0.0.1 2
        make expired /O=tests/OU=servers/CN=127.0.0.1 IP:127.0.0.1 -1
        make other /O=tests/OU=servers/CN=other.example DNS:other.example 2
        make client /O=tests/OU=tools/CN=client DNS:client 2
        make_ca self; cat self.pem self.key >foreign.pem
        openssl rsa -aes256 -in client.key -passout pass:s3cr3t -out locked.key
        cat client.crt locked.key >locked.pem; cat client.crt server.key >mixed.pem
        echo "no certificate" >text.pem; printf -- '-----BEGIN CERTIFICATE-----\\nAAAA\\n' >broken.pem
        """

    /// Makes them all.
    ///
    /// - Throws: ``TestSupportError`` with what `openssl` says when it fails.
    package static func make() async throws -> TestCertificates {
        let folder = FileManager.default.temporaryDirectory.path + "/chat-admin-tls-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let outcome = try await Subprocess.run(
            .name("sh"), arguments: ["-c", script, "sh", folder], output: .discarded, error: .string(limit: 100_000))
        guard outcome.terminationStatus.isSuccess else {
            throw TestSupportError("openssl made no certificates: \(outcome.standardError)")
        }
        return TestCertificates(folder: folder)
    }

    /// Removes the files.
    package func remove() { try? FileManager.default.removeItem(atPath: folder) }
}
