internal import BSON
internal import CMongoC

extension MongoError {
    /// Reads libmongoc's error and the reply that came with it.
    ///
    /// With the error API of version 2, "errors from the server have the domain MONGOC_ERROR_SERVER" and carry the
    /// server's code; everything else was found by the driver.
    init(_ error: bson_error_t, reply: BSONDocument? = nil, partialResult: BulkWriteResult? = nil) {
        let labels = reply?["errorLabels"]?.array?.compactMap(\.string) ?? []
        self.init(
            Self.kind(domain: error.domain, code: error.code), error.text, code: Self.serverCode(error),
            labels: Set(labels), partialResult: partialResult)
    }

    private static func serverCode(_ error: bson_error_t) -> Int32 {
        error.domain == MONGOC_ERROR_SERVER.rawValue || error.domain == MONGOC_ERROR_WRITE_CONCERN.rawValue
            ? Int32(truncatingIfNeeded: error.code) : 0
    }

    private static func kind(domain: UInt32, code: UInt32) -> Kind {
        switch domain {
        case MONGOC_ERROR_SERVER.rawValue: kind(ofServerCode: Int32(truncatingIfNeeded: code))
        case MONGOC_ERROR_WRITE_CONCERN.rawValue: .writeConcern
        case MONGOC_ERROR_SERVER_SELECTION.rawValue: .unreachable
        // A server that is too old or too new for libmongoc.
        case MONGOC_ERROR_PROTOCOL.rawValue where code == MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION.rawValue: .unreachable
        case MONGOC_ERROR_STREAM.rawValue: .network
        case MONGOC_ERROR_SCRAM.rawValue, MONGOC_ERROR_SASL.rawValue: .authentication
        case MONGOC_ERROR_CLIENT.rawValue where code == MONGOC_ERROR_CLIENT_AUTHENTICATE.rawValue: .authentication
        case MONGOC_ERROR_BSON.rawValue: .bson
        default: .internal
        }
    }
}

extension bson_error_t {
    /// The NUL-terminated text of the error.
    var text: String {
        withUnsafeBytes(of: message) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    /// Says what is wrong, as libmongoc's `bson_set_error` does.
    mutating func fill(_ domain: mongoc_error_domain_t, _ code: mongoc_error_code_t, _ text: String) {
        self.domain = domain.rawValue
        self.code = code.rawValue
        withUnsafeMutableBytes(of: &message) { room in
            let bytes = text.utf8.prefix(room.count - 1)
            room.copyBytes(from: bytes)
            room[bytes.count] = 0
        }
    }

    /// Whether DNS doesn't know a name, or doesn't answer as it must.
    var isOfName: Bool {
        domain == MONGOC_ERROR_STREAM.rawValue && code == MONGOC_ERROR_STREAM_NAME_RESOLUTION.rawValue
    }
}
