import Checksums
import Testing

/// The vectors are those of NIST, "Examples with Intermediate Values" and the SHA test vectors of CAVP.
@Suite("SHA-256")
struct SHA256Tests {
    @Test(
        "gives the published digests",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func vectors(text: String, digest: String) throws {
        #expect(try SHA256.hex(Array(text.utf8)) == digest)
    }

    @Test("gives the published digest of a million a's")
    func million() throws {
        let bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
        #expect(try SHA256.hex(bytes) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
        #expect(try SHA256.digest(bytes).count == SHA256.byteCount)
    }
}
