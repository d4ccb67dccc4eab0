import BSON
import Testing

@testable import Consistency

@Suite("Merging the guard")
struct GuardPlanTests {
    static let guarded: [BSONDocument] = [
        ["validator": ["_id": ["$type": "objectId"]]],
        ["validator": ["_id": ["$type": 7]], "validationLevel": "moderate"],
        ["validator": ["$jsonSchema": ["properties": ["_id": ["bsonType": "objectId"]]]]],
        ["validator": ["$and": [["a": 1], ["$and": [["_id": ["$type": "objectId"]]]]]]],
    ]

    @Test("a guard that is there in any form is recognised", arguments: guarded)
    func recognised(options: BSONDocument) { #expect(Guard.plan(options) == .present) }

    static let unguarded: [BSONDocument] = [
        ["validator": ["_id": ["$type": "string"]]], ["validator": ["_id": ["$type": ["objectId", "string"]]]],
        ["validator": ["$or": [["_id": ["$type": "objectId"]], ["a": 1]]]], ["validator": ["a": 1]],
    ]

    @Test("what only looks like one isn't taken for it", arguments: unguarded)
    func merged(options: BSONDocument) {
        guard case .set(let changed) = Guard.plan(options) else {
            Issue.record("not merged")
            return
        }
        #expect(changed["validator"]?.document?["$and"]?.array?.values.first == options["validator"])
        #expect(changed["validationLevel"] == "moderate")
    }

    @Test("without a validator the guard is moderate, so that what is there can still be updated")
    func fresh() {
        guard case .set(let options) = Guard.plan([:]) else {
            Issue.record("not set")
            return
        }
        #expect(options["validationLevel"] == "moderate")
        #expect(Guard.plan(options) == .present)
        // Level and action that stayed behind when a validator was removed don't matter.
        #expect(Guard.plan(["validationLevel": "off", "validationAction": "warn"]) == .set(options))
    }

    @Test("a validator that warns or is off is left alone")
    func leftAlone() {
        for extra: (String, BSONValue) in [("validationAction", "warn"), ("validationLevel", "off")] {
            var options: BSONDocument = ["validator": ["a": 1]]
            options.append(extra.0, extra.1)
            guard case .refused = Guard.plan(options) else {
                Issue.record("\(extra)")
                continue
            }
        }
    }
}
