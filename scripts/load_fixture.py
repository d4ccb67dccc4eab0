#!/usr/bin/env python3
"""Load a folder of canonical Extended JSON into a database: one file a collection, one document a line.

Every type arrives as the file says it. A line that can't be read and written back unchanged is refused before anything
is loaded, and what the server then holds is read back and compared byte by byte.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

import bson
from bson.codec_options import DatetimeConversion
from bson.json_util import JSONMode, JSONOptions, dumps, loads
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError

CANONICAL = JSONOptions(
    json_mode=JSONMode.CANONICAL, tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
BATCH = 1_000  # documents an insert; a few MB at the most with chats


class Refused(Exception):
    """Something about the fixture or the database that a person has to decide on."""


def ordered(text):
    """Parse JSON into pairs, so that comparing sees the order of keys, and keys that come twice."""
    return json.loads(text, object_pairs_hook=lambda pairs: ("object", pairs))


def read(path):
    """Yield the BSON bytes of each document in the file."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                document = loads(line, json_options=CANONICAL)
                unchanged = ordered(dumps(document, json_options=CANONICAL)) == ordered(line)
            except Exception as error:  # the parsers raise many types; each means the same here
                raise Refused(f"{path}:{number}: not canonical Extended JSON: {error}") from error
            if not unchanged:
                raise Refused(f"{path}:{number}: not canonical Extended JSON: reading and writing it changes it")
            if next(iter(document), None) != "_id":
                raise Refused(f"{path}:{number}: _id must come first, where the server would put it")
            yield bson.encode(document)


def load(folder, database, drop):
    """Load each file of the folder, compare, and return the number of documents by collection."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise Refused(f"{folder} holds no .jsonl files")
    fixture = {path.stem: list(read(path)) for path in files}

    if not drop:
        occupied = [name for name in fixture if database[name].find_one({}, {"_id": 1}) is not None]
        if occupied:
            raise Refused(
                f"database {database.name!r} already has documents in {', '.join(occupied)}: nothing was loaded. "
                "--drop replaces these collections."
            )
    for name, documents in fixture.items():
        collection = database.get_collection(
            name, codec_options=bson.CodecOptions(document_class=RawBSONDocument)
        )
        if drop:
            collection.drop()
        for start in range(0, len(documents), BATCH):
            collection.insert_many([RawBSONDocument(raw) for raw in documents[start : start + BATCH]])
        stored = Counter(hashlib.sha256(document.raw).digest() for document in collection.find())
        if stored != Counter(hashlib.sha256(raw).digest() for raw in documents):
            raise Refused(f"collection {name} doesn't hold what {name}.jsonl says; is somebody else writing to it?")
    return {name: len(documents) for name, documents in fixture.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder with the .jsonl files")
    parser.add_argument("--uri", required=True, help="the server, as mongodb://…")
    parser.add_argument("--database", required=True, help="the database to load into")
    parser.add_argument("--drop", action="store_true", help="drop the collections that the folder names first")
    arguments = parser.parse_args()
    try:
        with MongoClient(arguments.uri, serverSelectionTimeoutMS=5_000) as client:
            loaded = load(arguments.folder, client[arguments.database], arguments.drop)
    except ServerSelectionTimeoutError:
        print("load_fixture: no server answers at the given address", file=sys.stderr)
        return 1
    except (Refused, PyMongoError) as error:
        print(f"load_fixture: {error}", file=sys.stderr)
        return 1
    print("loaded " + ", ".join(f"{count} {name}" for name, count in loaded.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
