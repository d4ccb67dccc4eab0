import BSON
import Foundation
import Glibc
import Synchronization
import TestSupport

/// A mock of a server that says what no real one says: it greets as a standalone `mongod` does, and answers everything
/// else as a test wants. It knows as much of the wire protocol as libmongoc uses
/// (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/).
final class MockServer: Sendable {
    /// What it does with a command.
    enum Answer: Sendable {
        /// Sends this.
        case reply(BSONDocument)
        /// Sends nothing, and goes on.
        case silence
        /// Breaks the connection.
        case hangUp
    }

    let port: Int
    private let listener: Int32
    private let answer: @Sendable (BSONDocument) -> Answer
    private let greeting: BSONDocument
    private let names = Mutex<[String]>([])

    /// The names of the commands that came, greetings left out.
    var commands: [String] { names.withLock { $0 } }

    /// How a `mongod` of its own greets.
    static let standalone: BSONDocument = [
        "ismaster": true, "isWritablePrimary": true, "helloOk": true, "maxBsonObjectSize": 16_777_216,
        "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000, "logicalSessionTimeoutMinutes": 30,
        "minWireVersion": 0, "maxWireVersion": 17, "readOnly": false, "ok": 1.0,
    ]

    /// Begins to listen on a port of 127.0.0.1.
    init(greeting: BSONDocument = standalone, _ answer: @escaping @Sendable (BSONDocument) -> Answer) throws {
        let (descriptor, port) = try LoopbackPort.listen()
        listener = descriptor
        self.port = port
        self.greeting = greeting
        self.answer = answer
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { break }
                Thread.detachNewThread { [weak self] in
                    while let self, self.serve(connection) {}
                    close(connection)
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// Answers one message; false when the connection is to end.
    private func serve(_ connection: Int32) -> Bool {
        guard let header = receive(connection, 16) else { return false }
        let words = header.withUnsafeBytes { bytes in
            (0..<4).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self).littleEndian }
        }
        guard let body = receive(connection, Int(words[0]) - 16) else { return false }
        let isQuery = words[3] == 2004
        // OP_MSG: flags, the kind of its first section, a document. OP_QUERY: flags, a name, two numbers, a document.
        let start = isQuery ? 4 + body.dropFirst(4).prefix { $0 != 0 }.count + 1 + 8 : 5
        let size = body[start...].withUnsafeBytes { Int($0.loadUnaligned(as: Int32.self).littleEndian) }
        guard let command = try? BSONDocument(validating: Array(body[start..<start + size])) else { return false }
        guard let name = command.keys.first, !["hello", "ismaster"].contains(name.lowercased()) else {
            return send(greeting, to: words[1], isQuery, connection)
        }
        names.withLock { $0.append(name) }
        switch answer(command) {
        case .reply(let reply): return send(reply, to: words[1], isQuery, connection)
        case .silence: return true
        case .hangUp: return false
        }
    }

    private func send(_ reply: BSONDocument, to request: Int32, _ isQuery: Bool, _ connection: Int32) -> Bool {
        // OP_REPLY: flags, a cursor, where it starts, one document. OP_MSG: flags, the kind of a section.
        let front: [UInt8] = isQuery ? Array(repeating: 0, count: 16) + [1, 0, 0, 0] : [0, 0, 0, 0, 0]
        var bytes: [UInt8] = []
        for word in [Int32(16 + front.count + reply.byteCount), 1, request, isQuery ? 1 : 2013] {
            withUnsafeBytes(of: word.littleEndian) { bytes += $0 }
        }
        bytes += front + reply.bytes
        return bytes.withUnsafeBytes {
            Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) == $0.count
        }
    }

    private func receive(_ connection: Int32, _ count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var buffer = [UInt8](repeating: 0, count: count - bytes.count)
            let received = recv(connection, &buffer, buffer.count, 0)
            guard received > 0 else { return nil }
            bytes += buffer.prefix(received)
        }
        return bytes
    }
}
