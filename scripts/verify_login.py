#!/usr/bin/env python3
"""Try a login the way the chat application does, without the application and without chat-admin.

The user is found by exact match of username or email, the password verified with passlib's bcrypt. The password is
read from standard input, or from a users file (--users); never from an argument, which other users of the machine see.
"""

import argparse
import json
import sys
from pathlib import Path

from bson import ObjectId
from passlib.context import CryptContext
from pymongo import MongoClient
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError

PASSWORDS = CryptContext(schemes=["bcrypt"], deprecated="auto")


def problem(users, login, password):
    """Return why the login fails, or None when it succeeds."""
    found = list(users.find({"$or": [{"username": login}, {"email": login}]}).limit(2))
    if not found:
        return "no such user"
    if len(found) > 1:
        return "more than one user answers to it"
    user = found[0]
    if not isinstance(user["_id"], ObjectId):
        return "the user's _id is no ObjectId, so the application can't look it up"
    if user.get("disabled"):
        return "the user is disabled"
    hashed = user.get("hashed_password")
    if not isinstance(hashed, str) or not PASSWORDS.identify(hashed):
        return "the user has no bcrypt hash"
    if not PASSWORDS.verify(password, hashed):
        return "wrong password"
    return None


def password_for(login, path):
    """Return the login's password from a users file, or from standard input without one."""
    if path is None:
        return sys.stdin.readline().rstrip("\n")
    for user in json.loads(path.read_text(encoding="utf-8"))["users"]:
        if login in (user["username"], user["email"]):
            return user["password"]
    raise KeyError(f"{path} has no user {login!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("login", help="a username or an email")
    parser.add_argument("--uri", required=True, help="the server, as mongodb://…")
    parser.add_argument("--database", required=True, help="the chat application's database")
    parser.add_argument("--users", type=Path, help="a users file with the password, such as fixtures/users.json")
    arguments = parser.parse_args()
    try:
        password = password_for(arguments.login, arguments.users)
        with MongoClient(arguments.uri, serverSelectionTimeoutMS=5_000) as client:
            failure = problem(client[arguments.database]["users"], arguments.login, password)
    except ServerSelectionTimeoutError:
        failure = "no server answers at the given address"
    except (KeyError, OSError, ValueError, PyMongoError) as error:
        failure = error.args[0] if isinstance(error, KeyError) else str(error)
    print(f"login {arguments.login}: {f'FAILED, {failure}' if failure else 'ok'}")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
