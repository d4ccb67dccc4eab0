#!/usr/bin/env python3
"""Create chats and send messages the way an application with the bug does, or with one of its fixes, and say what it sees.

docs/fixing-the-application.md tells of them; a test holds that page against this. One JSON object is printed: what the
application answers, and what its own queries then find.
"""

import argparse
import json
from datetime import datetime, timezone

from bson import ObjectId
from bson.errors import InvalidId
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import core_schema
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError, WriteError

USER = ObjectId("656000000000000000000001")


class PyObjectId(str):
    """An id as text; without an argument the empty text."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


class Document(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    user_id: PyObjectId
    created_at: datetime
    updated_at: datetime
    deleted: bool = False


class Session(Document):
    title: str = "a chat"
    message_count: int = 0
    last_message_at: datetime | None = None


class Message(Document):
    session_id: PyObjectId
    role: str = "user"
    content: str = "words"


def with_id(model, **field):
    """The model with the application's id, which stands under another name in the database."""
    annotation = field.pop("annotation")
    return type(model.__name__, (model,), {"__annotations__": {"id": annotation}, "id": Field(alias="_id", **field)})


def dump(variant, model, values):
    """What one variant of the application inserts."""
    if variant == "none":
        return with_id(model, annotation=PyObjectId | None, default=None)(**values).model_dump(by_alias=True)
    made = with_id(model, annotation=PyObjectId, default_factory=PyObjectId)(**values)
    if variant == "bug":
        return made.model_dump(by_alias=True)
    if variant == "exclude-alias":
        return made.model_dump(by_alias=True, exclude={"_id"})
    document = made.model_dump(by_alias=True, exclude={"id"})
    if variant == "right":
        for name in ("user_id", "session_id"):
            if name in document:
                document[name] = ObjectId(document[name])
    return document


def insert(collection, document):
    """Insert, and answer as the application does."""
    try:
        return 201, collection.insert_one(document).inserted_id
    except (DuplicateKeyError, WriteError) as error:
        return 500, error.code


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variant", choices=["bug", "exclude-alias", "exclude-name", "none", "right"])
    parser.add_argument("--uri", required=True)
    parser.add_argument("--database", required=True)
    arguments = parser.parse_args()
    database = MongoClient(arguments.uri)[arguments.database]
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    common = {"user_id": str(USER), "created_at": now, "updated_at": now}

    creates, sends = [], []
    for _ in range(2):
        status, made = insert(database.chat_sessions, dump(arguments.variant, Session, common))
        creates.append(status)
        if status != 201:
            continue
        try:
            # As every request does: by the id that the client was told.
            found = database.chat_sessions.find_one({"_id": ObjectId(str(made))})
        except InvalidId:
            found = None
        if found is None:
            sends.append(404)
            continue
        message = dump(arguments.variant, Message, {**common, "session_id": str(made)})
        status, _ = insert(database.messages, message)
        sends.append(status)
        if status == 201:
            count = {"$inc": {"message_count": 1}, "$set": {"last_message_at": now, "updated_at": now}}
            database.chat_sessions.update_one({"_id": found["_id"]}, count)

    sessions = list(database.chat_sessions.find({"user_id": USER, "deleted": False}).sort("updated_at", -1))
    messages = [
        database.messages.count_documents({"session_id": session["_id"], "deleted": False}) for session in sessions
    ]
    print(json.dumps({"creates": creates, "sends": sends, "sidebar": len(sessions), "messages": sum(messages)}))


if __name__ == "__main__":
    main()
