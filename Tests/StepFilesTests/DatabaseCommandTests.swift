import BSON
import Journal
import MongoDriver
import StepFiles
import Testing

@Suite("The danger of a command")
struct DatabaseCommandTests {
    private func command(_ json: String) throws -> DatabaseCommand {
        try #require(DatabaseCommand(try ExtendedJSON.document(json)))
    }

    @Test(
        "is graded dangerous where it can lose data",
        arguments: [
            #"{"drop": "users"}"#,
            #"{"aggregate": "users", "pipeline": [{"$project": {"a": 1}}, {"$out": "users"}], "cursor": {}}"#,
            #"{"aggregate": "users", "pipeline": [{"$out": {"db": "x", "coll": "users"}}], "cursor": {}}"#,
            #"{"aggregate": "users", "pipeline": [{"$merge": "users"}], "cursor": {}}"#,
            #"{"aggregate": "users", "pipeline": [{"$merge": {"into": {"coll": "users"}}}], "cursor": {}}"#,
            #"{"update": "users", "updates": [{"q": {}, "u": {"$set": {"a": 1}}, "multi": true}]}"#,
            #"{"update": "users", "updates": [{"q": {"$and": [{}]}, "u": {"$set": {"a": 1}}, "multi": true}]}"#,
            #"{"update": "users", "updates": [{"q": {"a": 1}, "u": [{"$replaceWith": {"b": 1}}], "multi": true}]}"#,
            #"{"update": "users", "updates": [{"q": {"a": 1}, "u": {"$set": {"a": 1}}, "odd": 1}]}"#,
            #"{"delete": "users", "deletes": [{"q": {}, "limit": 0}]}"#,
            #"{"delete": "users", "deletes": [{"q": {"a": 1}, "limit": 0}, {"q": {}, "limit": 1}]}"#,
            #"{"findAndModify": "users", "query": {}, "remove": true}"#,
            #"{"convertToCapped": "users", "size": 1000}"#,
            #"{"mapReduce": "users", "out": "b"}"#,
            #"{"createIndexes": "users", "indexes": [{"key": {"a": 1}, "name": "a", "expireAfterSeconds": 60}]}"#,
            #"{"collMod": "users", "index": {"name": "a", "expireAfterSeconds": 60}}"#,
            #"{"delete": "users", "deletes": [{"q": {"_id": {"$gte": {"$minKey": 1}}}, "limit": 0}]}"#,
            #"{"delete": "users", "deletes": [{"q": {"_id": {"$nin": []}}, "limit": 0}]}"#,
        ])
    func dangerous(json: String) throws {
        let command = try command(json)
        #expect(command.risk == .dangerous)
        #expect(!command.dangers.isEmpty)
    }

    @Test(
        "is graded careful where it changes data that the journal keeps, or makes other writes fail",
        arguments: [
            #"{"update": "users", "updates": [{"q": {"a": 1}, "u": {"$unset": {"a": ""}}, "multi": true}]}"#,
            #"{"delete": "users", "deletes": [{"q": {"a": 1}, "limit": 0}]}"#,
            #"{"createIndexes": "users", "indexes": [{"key": {"a": 1}, "name": "a", "unique": true}]}"#,
            #"{"validate": "users", "repair": true}"#, #"{"collMod": "users", "validator": {}}"#, #"{"dropUser": "u"}"#,
            #"{"whatever": 1}"#,
            #"{"aggregate": "users", "pipeline": [{"$merge": "others"}], "cursor": {}}"#,
        ])
    func careful(json: String) throws { #expect(try command(json).risk == .careful) }

    @Test(
        "is graded safe where it adds what nobody had",
        arguments: [
            #"{"insert": "users", "documents": [{"a": 1}]}"#, #"{"create": "users"}"#, #"{"ping": 1}"#,
            #"{"createIndexes": "users", "indexes": [{"key": {"a": 1}, "name": "a"}]}"#,
            #"{"createUser": "u", "pwd": "p", "roles": []}"#, #"{"validate": "users"}"#,
        ])
    func safe(json: String) throws { #expect(try command(json).risk == .safe) }

    @Test(
        "doesn't matter where the tool's own state, or the database as a whole, is concerned: that is refused",
        arguments: [
            #"{"dropDatabase": 1}"#, #"{"drop": "chat_admin.journal"}"#,
            #"{"createSearchIndexes": "chat_admin.runs", "indexes": []}"#, #"{"planCacheClear": "chat_admin.runs"}"#,
            #"{"delete": "chat_admin.lease", "deletes": [{"q": {"_id": 1}, "limit": 0}]}"#,
            #"{"aggregate": "a", "pipeline": [{"$out": "chat_admin.runs"}], "cursor": {}}"#,
            #"{"renameCollection": "d.chat_admin.runs", "to": "d.x"}"#,
            #"{"renameCollection": "d.x", "to": "d.chat_admin.runs"}"#,
        ])
    func refused(json: String) throws { #expect(try command(json).refusal != nil) }
}
