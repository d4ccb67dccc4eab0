#!/usr/bin/env python3
"""Check what chat-admin prints with --format json against a schema: check_schema.py SCHEMA < output.

The output must be exactly one JSON document, on one line, with no key twice. Exit code 0 if the schema takes it, 1 if not,
with a line for each objection; 2 if the schema itself is wrong.
"""

import argparse
import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

SHOWN = 200  # characters of a value in an objection


class Refused(Exception):
    """Why the input isn't one JSON document on one line."""


def unique(pairs):
    """Make an object of pairs, unless a key comes twice."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Refused("a key comes twice: " + ", ".join(key for key, _ in pairs))
    return made


def no_constant(name):
    raise Refused(f"{name} isn't JSON")


def read(text):
    """Parse the one document of an output."""
    if not text.endswith("\n") or text.count("\n") != 1:
        raise Refused(f"the output has {text.count(chr(10))} line breaks; it should be one line")
    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise Refused(f"the output isn't JSON: {error}") from error


def objections(schema, document):
    """Yield a sentence for each place where the document isn't as the schema wants it."""
    for error in sorted(Draft202012Validator(schema).iter_errors(document), key=lambda error: error.json_path):
        yield f"{error.json_path}: {error.message[:SHOWN]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("schema", type=Path, help="a file of docs/schema")
    path = parser.parse_args().schema
    try:
        schema = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)
        Draft202012Validator.check_schema(schema)
    except (OSError, ValueError, Refused, SchemaError) as error:
        print(f"check_schema: {path} can't be used: {error}", file=sys.stderr)
        return 2
    try:
        found = list(objections(schema, read(sys.stdin.read())))
    except Refused as error:
        found = [str(error)]
    for objection in found:
        print(f"check_schema: {path.name}: {objection}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
