import Foundation
import TestSupport

/// Certificates of an authority of these tests' own, made with `openssl`, in a folder that goes with this object.
final class Certificates: Sendable {
    private let folder: String

    private static let script = """
        set -e; cd "$1"
        make_ca() { # NAME
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem"
        }
        make() { # NAME SUBJECT_ALTERNATIVE_NAME DAYS
            openssl req -newkey rsa:2048 -nodes -subj "/O=tests/CN=$1" -keyout "$1.key" -out "$1.csr"
            printf 'subjectAltName=%s\\n' "$2" >"$1.ext"
            openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$3" -extfile "$1.ext" -out "$1.crt"
            cat "$1.crt" "$1.key" >"$1.pem"
        }
        make_ca ca; make_ca stranger
        make server IP:127.0.0.1 2; make expired IP:127.0.0.1 -1; make other DNS:other.example 2; make client DNS:client 2
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=client -keyout foreign.key -out foreign.crt
        cat foreign.crt foreign.key >foreign.pem
        openssl rsa -aes256 -in client.key -passout pass:s3cr3t -out locked.key
        cat client.crt locked.key >locked.pem; cat client.crt server.key >mixed.pem; cp ca.pem nokey.pem
        echo "no certificate" >text.pem; printf -- '-----BEGIN CERTIFICATE-----\\nAAAA\\n' >broken.pem
        """

    /// Makes them all.
    init() throws {
        folder = FileManager.default.temporaryDirectory.path + "/chat-admin-driver-tls-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", Self.script, "sh", folder]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw TestSupportError("openssl made no certificates") }
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// The file of one of them: its certificate and its key.
    func file(_ name: String) -> String { "\(folder)/\(name).pem" }
}
