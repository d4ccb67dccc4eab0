internal import BSON
internal import Checksums
internal import Journal
internal import MigrationEngine
internal import MongoDriver

/// Pipelines that end in `$out`: worked out into a collection of the tool's own, then made by compare-and-set, document by
/// document. The server's own `$out` puts a new collection in the place of the old one, and with it takes away what an
/// application writes meanwhile.
extension CommandRunner {
    /// Replaces what a collection holds by what a pipeline makes.
    ///
    /// - Parameter begun: How far an earlier attempt came.
    func replace(
        _ collection: String, by command: DatabaseCommand, _ position: CommandPosition, _ begun: BSONDocument?
    ) async throws {
        let present = try await database.client.listCollections(database.name)
        let found = present[collection]
        let isComputed = begun?["computed"]?.bool == true
        // What an earlier version had made has no run in its name.
        let output = try isComputed ? begun?["output"]?.string ?? outputPrefix(position) : outputName(position)
        var uuid = begun?["uuid"]
        if !isComputed {
            let fits = try await fitsJournal(collection, found)
            guard begun?["uuid"] == nil, found?.isCapped != true, fits else {
                return try await replaceUnjournalled(collection, found, command, position, begun)
            }
        }
        try await run.recording(command.name, in: collection) {
            if !isComputed {
                try await journalImages(of: collection, isMissing: found == nil, command, position)
                if present[output] != nil { try await run.writer.run(["drop": .string(output)], on: database.name) }
                if let collation = found?.collation {
                    // Both have to be in one order.
                    try await run.writer.createCollection(
                        database.namespace(output), options: ["collation": .document(collation)])
                }
                do {
                    try await send(command.writing(to: output))
                } catch let error as MongoError where error.isRefusal {
                    // Only the tool's own collection may have been written to.
                    if found != nil { try await giveUp(position, isNoted: false) }
                    throw error
                }
                guard let made = try await database.client.listCollections(database.name)[output] else {
                    throw EngineError.refused("its pipeline made no collection, so \(collection) isn't touched")
                }
                uuid = made.uuid
                let mark: BSONDocument = ["computed": true, "output": .string(output), "uuid": made.uuid ?? .null]
                try await context.save(checkpoint: checkpoint(at: position.index, begun: mark).document)
            } else if present[output] == nil {
                // It is removed when everything is done, and by nobody before.
                guard try await outlines(position).allSatisfy({ $0.first == nil || ($0.isClosed && !$0.hasAgain) })
                else {
                    throw Self.isGone(output)
                }
                return
            }
            try await apply(from: Output(name: output, uuid: uuid), to: collection, command.name, position)
            // What was left has to be written down as long as it can be found again.
            try await pass(to: position.index + 1)
            try await run.writer.run(["drop": .string(output)], on: database.name)
        }
    }

    /// The collection that a pipeline has made, by its name and by what tells it from another of that name.
    private struct Output {
        let name: String
        let uuid: BSONValue?
    }

    private static func isGone(_ output: String) -> HalfApplied {
        HalfApplied(
            sentence: "what its pipeline had made (\(output)) is gone; \(StepFileAdvice.undoRun)")
    }

    /// Makes sure that what was read is what the pipeline had made: a collection that is gone reads as an empty one, and
    /// every document would seem to have been left out.
    private func confirm(_ output: Output) async throws {
        guard let uuid = output.uuid else { return }
        let present = try await database.client.listCollections(database.name)
        guard present[output.name]?.uuid == uuid else { throw Self.isGone(output.name) }
    }

    /// Removes what pipelines had made that were carried out by a run which was killed before it could.
    func removeOutputs(before position: Int) async throws {
        let positions = file.commands.prefix(position).enumerated().compactMap { index, command in
            if case .aggregate(_, _, true) = command.kind {
                CommandPosition(index: index, isResumed: true)
            } else {
                nil
            }
        }
        guard !positions.isEmpty else { return }
        let present = try await database.client.listCollections(database.name)
        for prefix in try positions.map(outputPrefix) {
            for output in present.keys.sorted() where output == prefix || output.hasPrefix(prefix + ".") {
                try await run.writer.run(["drop": .string(output)], on: database.name)
            }
        }
    }

    /// Where the pipeline's result stands until all of it is made: a place that no other step's has, and no other run's. What
    /// a run that has lost its lease still sends then comes to nobody's hands.
    private func outputName(_ position: CommandPosition) throws -> String {
        "\(try outputPrefix(position)).\(run.id.hex)"
    }

    /// How the names begin that any run gives to this place.
    private func outputPrefix(_ position: CommandPosition) throws -> String {
        let series = context.position?.ledger.series ?? ""
        let digest = try SHA256.hex(Array("\(series)/\(version)/\(direction.rawValue)/\(position.index)".utf8))
        return "\(StateCollection.output).\(digest.prefix(12))"
    }

    private func journalImages(
        of collection: String, isMissing: Bool, _ command: DatabaseCommand, _ position: CommandPosition
    ) async throws {
        // Nothing of the collection is changed yet: what an attempt that came no further had noted is out of date.
        if position.isResumed {
            try await run.abandon(try await outlines(position).filter { $0.first != nil }.map(\.key))
        }
        guard isMissing else {
            return try await journalDocuments(of: collection, after: .unknown, command.name, position)
        }
        try await journalled(.collection, "create collection", collection, position) {
            try await run.changeCatalog(CatalogCommand.create(collection))
        }
    }

    /// The server's own `$out`, for what doesn't fit the journal: it leaves another collection in the place of the old one,
    /// which tells whether it was done.
    private func replaceUnjournalled(
        _ collection: String, _ found: CollectionDescription?, _ command: DatabaseCommand, _ position: CommandPosition,
        _ begun: BSONDocument?
    ) async throws {
        try await run.recording(command.name, in: collection) {
            if begun == nil || begun?["uuid"] == found?.uuid {
                let isNoted = try await context.noteUnjournalled()
                do {
                    try await begin(position, ["uuid": found?.uuid ?? .null]) { try await send(command.document) }
                } catch let error as MongoError where error.isRefusal && begun == nil {
                    // It would have put another collection there at its very end.
                    let now = try await database.client.listCollections(database.name)[collection]
                    if isNoted, now?.uuid == found?.uuid { try await context.retractUnjournalled() }
                    throw error
                }
            }
            run.counts.count(command: position.number, of: version, command.name, collection)
        }
    }

    /// Makes a collection what the pipeline's result is, range by range of the images in the journal.
    private func apply(
        from output: Output, to collection: String, _ code: String, _ position: CommandPosition
    ) async throws {
        let images = try await outlines(position).filter { $0.first != nil }
        let done = try await closedBesideImages(position)
        if images.isEmpty {
            return try await apply((output, collection), nil, (nil, nil), except: done, code, position)
        }
        for (index, outline) in images.enumerated() {
            let image = try await image(outline)
            try await apply(
                (output, collection), image, Self.bounds(index, images), except: done, code, position)
        }
    }

    private func apply(
        _ collections: (output: Output, target: String), _ image: Image?,
        _ bounds: (lower: BSONValue?, upper: BSONValue?), except done: Set<BSONValue>, _ code: String,
        _ position: CommandPosition
    ) async throws {
        let isClosed = image?.isClosed ?? false
        let known = Set((image?.changes ?? []).map(\.id))
        var results: [BSONValue: BSONDocument] = [:]
        let cursor = try await database.client.find(
            database.namespace(collections.output.name), filter: [:], options: Self.range(bounds))
        try await database.client.forEachBatch(
            of: cursor, maximum: Run.batchSize, maximumBytes: Run.documentsPerEntryBytes
        ) { batch in
            let made = batch.filter {
                !known.contains($0["_id"] ?? .null) && !done.contains($0["_id"] ?? .null)
            }
            let present = try await run.documents(made.map { $0["_id"] ?? .null }, in: collections.target)
            run.totals.left(
                code, collections.target, present.count,
                reason: "somebody else inserted a document of this _id while the pipeline ran; left as it is",
                samples: present.keys)
            try await run.insert(
                made.filter { present[$0["_id"] ?? .null] == nil }, into: collections.target, code: code,
                position.journalPosition())
            for document in batch where known.contains(document["_id"] ?? .null) && !isClosed {
                results[document["_id"] ?? .null] = document
            }
        }
        guard let image else { return }
        try await confirm(collections.output)
        guard !isClosed else {
            // What the server, or another's change, refused at first.
            let again = image.changes.filter {
                image.entry.again.contains($0.id) && !done.contains($0.id) && $0.isPlanned
            }
            for batch in Run.batches(again) {
                let left = try await run.apply(
                    documents: batch, in: collections.target, code: code, position.journalPosition(isRetry: true),
                    context.settings)
                run.totals.left(
                    code, collections.target, left.count, reason: Self.changedMeanwhile, samples: left)
            }
            return
        }
        try await apply(image.changes.filter { !done.contains($0.id) }, results, image.entry, position)
    }

    private static let changedMeanwhile: Sentence = "changed by somebody else while the pipeline ran; left as it is"

    /// Changes the documents of one image to what the pipeline made of them.
    private func apply(
        _ images: [DocumentChange], _ results: [BSONValue: BSONDocument], _ entry: JournalEntry,
        _ position: CommandPosition
    ) async throws {
        let outcomes = images.map { image in
            guard let result = results[image.id] else {
                return DocumentChange(id: image.id, before: image.before, after: .absent)
            }
            return result == image.before
                ? DocumentChange(id: image.id, before: nil, after: .same)
                : DocumentChange(id: image.id, before: image.before, after: .document(result))
        }
        let same = outcomes.filter { $0.after == .same }
        var batches = Run.batches(outcomes.filter { $0.after != .same })
        let first = batches.isEmpty ? [] : batches.removeFirst()
        var left: [BSONValue] = []
        for batch in batches {
            try checkSize(batch, entry.collection)
            left += try await run.apply(
                documents: batch, in: entry.collection, code: entry.code, position.journalPosition(isRetry: true),
                context.settings)
        }
        // The image's own entry comes last: as long as it isn't settled, an attempt that is killed begins the range again.
        try checkSize(first, entry.collection)
        let here = Set((same + first).map(\.id))
        // The first one stays in front: it is where the range begins.
        let items = outcomes.enumerated().compactMap { index, outcome in
            here.contains(outcome.id)
                ? outcome : index == 0 ? DocumentChange(id: outcome.id, before: nil, after: .same) : nil
        }
        left += try await run.carryOut(entry, items, context.settings)
        run.totals.left(
            entry.code, entry.collection, left.count, reason: Self.changedMeanwhile, samples: left)
    }
}

extension DatabaseCommand {
    /// The same pipeline, with its result in another collection.
    fileprivate func writing(to collection: String) -> BSONDocument {
        var stages = document["pipeline"]?.array?.values ?? []
        if !stages.isEmpty { stages[stages.count - 1] = ["$out": .string(collection)] }
        return document.replacing("pipeline", with: .array(BSONArray(stages)))
    }
}
