import BSON
import Foundation

/// ObjectIds as an application's driver makes them: of the present second, each different.
enum FreshID {
    static func make() -> ObjectID { ObjectID(timestamp: UInt32(Date().timeIntervalSince1970)) }
}
