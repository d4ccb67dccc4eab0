package import BSON
internal import MongoDriver

/// What the server says to an index that a collection is to get, beside those that it has.
package struct IndexConflicts {
    private let collation: BSONDocument?
    private let comparesMeaning: Bool
    private var present: [IndexShape]
    /// Those of ``present`` that the same command makes.
    private var isNew: [Bool]

    /// What becomes of an index that is asked for.
    package enum Verdict: Equatable, Sendable {
        /// It is made.
        case created
        /// It is there already.
        case present
        /// The server refuses it: why, in words that follow the collection's name.
        case refused(String)
    }

    /// - Parameters:
    ///   - present: The indexes that are there, as `listIndexes` describes them.
    ///   - collation: The collection's default collation.
    ///   - wireVersion: The server's.
    package init(present: [BSONDocument], collation: BSONDocument?, wireVersion: Int64) {
        self.collation = collation
        comparesMeaning = wireVersion >= Database.wireVersionOf5
        self.present = present.map { [comparesMeaning] in
            // The server leaves the simple collation out, also where the collection has another.
            let own = $0["collation"] == nil ? $0.replacing("collation", with: ["locale": "simple"]) : $0
            return IndexShape(own, collation: collation, comparesMeaning: comparesMeaning)
        }
        isNew = Array(repeating: false, count: present.count)
    }

    /// A collection has no more indexes than that.
    private static let most = 64

    /// Takes the next index that is asked for.
    ///
    /// - Parameter index: As `createIndexes` takes it.
    package mutating func add(_ index: BSONDocument) -> Verdict {
        let wanted = IndexShape(index, collation: collation, comparesMeaning: comparesMeaning)
        let verdict = judge(wanted, index)
        if verdict == .created {
            present.append(wanted)
            isNew.append(true)
        }
        return verdict
    }

    private func judge(_ wanted: IndexShape, _ index: BSONDocument) -> Verdict {
        if wanted.isOfID { return judgeOfID(index) }
        if wanted.isSimple, let used = index["collation"]?.document ?? collation, used["locale"] != "simple" {
            return .refused(
                "can't have the index \(wanted.name) with a collation; give it {\"locale\": \"simple\"}")
        }
        if index["partialFilterExpression"] != nil, index["sparse"]?.bool == true {
            return .refused("can't have an index that is both sparse and partial: \(wanted.name)")
        }
        if let position = present.firstIndex(where: { $0.name == wanted.name }) {
            let other = present[position]
            guard other.whole == wanted.whole else { return .refused("has another index with the name \(wanted.name)") }
            return isNew[position] ? .refused("gets the index \(wanted.name) twice") : .present
        }
        if let other = present.first(where: { $0.signature == wanted.signature }) {
            return .refused("has an index with the key of \(wanted.name): \(other.name)")
        }
        if wanted.isText, let other = present.first(where: \.isText) {
            return .refused("has a text index already, and the server takes no second one: \(other.name)")
        }
        let count = present.contains(where: \.isOfID) ? present.count : present.count + 1
        return count < Self.most ? .created : .refused("has \(Self.most) indexes already, and the server takes no more")
    }

    /// The index on `_id` is there, whatever it is called.
    private func judgeOfID(_ index: BSONDocument) -> Verdict {
        let options = Set(index.keys).subtracting(["key", "name", "v", "ns", "collation", "background"])
        guard options.isEmpty else { return .refused("takes no options for the index on _id") }
        let usual = IndexShape(["key": ["_id": 1]], collation: collation, comparesMeaning: comparesMeaning)
        let wanted = IndexShape(index, collation: collation, comparesMeaning: comparesMeaning)
        return usual.signature == wanted.signature
            ? .present : .refused("has an index on _id with the collection's own collation, and can't have another")
    }
}
