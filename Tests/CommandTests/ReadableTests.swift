import BSON
import TestSupport
import Testing

@Suite("Values in text for people")
struct ReadableTests {
    @Test(
        "are numbers with separators and times in the units that people use",
        arguments: [
            (0, "0", 0, "0 ms"), (999, "999", 842, "842 ms"), (1000, "1,000", 12_345, "12.3 s"),
            (300_000, "300,000", 122_390, "2 min 2 s"), (1_234_567, "1,234,567", 59_960, "1 min"),
            (12, "12", 3_725_000, "1 h 2 min"), (12, "12", 3_599_900, "1 h"),
        ])
    func numbers(changed: Int, shown: String, milliseconds: Int, time: String) async throws {
        try await withDatabase { database in
            try await database.loadIncident()
            _ = try await json(["repair", "counts", "--offline", "--yes"], on: database, expecting: 0)
            try await database.update(
                "chat_admin.runs", [:],
                [
                    "$set": [
                        "operations": [
                            [
                                "collection": "c", "operation": "update", "changed": .int64(Int64(changed)),
                                "durationMS": .int64(Int64(milliseconds)),
                                "filter": [
                                    "_id": .objectID(ObjectID(timestamp: 1)), "at": .date(1_700_000_000_000),
                                    "n": [1, .double(1.5), "a\"b"],
                                ],
                            ]
                        ]
                    ]
                ])
            let result = try await Tool.run(["runs", "show", "latest"] + target(database))
            #expect(result.output.contains(" \(shown) changed  \(time)  _id: 00000001"), "\(result)")
            #expect(result.output.contains(#", at: 2023-11-14T22:13:20Z, n: [1, 1.5, "a\"b"]"#), "\(result)")
        }
    }
}
