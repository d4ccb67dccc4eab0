#!/usr/bin/env python3
"""Measure chat-admin's commands against the server's own pipelines and plain scripts, side by side in one run.

Each row alternates between the tool and its peer, so that both meet the same noise; medians and their ratio are shown.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bson import ObjectId
from pymongo import ASCENDING, MongoClient, ReadPreference, UpdateOne, WriteConcern

T0 = datetime.datetime(2025, 1, 1)
SESSIONS, MESSAGES = 100_000, 1_000_000
REFERENCES = 100_000  # messages moved by the reference row
LIVE = {"$eq": ["$deleted", False]}
DURABLE = WriteConcern(w="majority", j=True)
INDEX = [("session_id", ASCENDING), ("deleted", ASCENDING), ("created_at", ASCENDING)]


def load(db, sessions, messages):
    """Fill a database: 1 to 19 messages a session, ten on average, as they come in; one in fifty is deleted."""
    db.client.drop_database(db.name)
    ids = [ObjectId() for _ in range(sessions)]
    users = [ObjectId() for _ in range(max(1, sessions // 100))]
    db.users.insert_many(
        {"_id": user, "username": f"user{n}", "email": f"user{n}@example.com",
         "hashed_password": "$2b$12$15m5wUDR5xWjwclxIDbD6uVHIKb2UlScXiQ0Kcix8y4HyPRh02D6a"}
        for n, user in enumerate(users))
    batch = 20_000
    for start in range(0, sessions, batch):
        part = range(start, min(start + batch, sessions))
        db.chat_sessions.insert_many(
            [{"_id": ids[n], "user_id": users[n % len(users)], "title": f"chat {n}", "message_count": 0,
              "last_message_at": None, "created_at": T0, "updated_at": T0, "deleted": False, "deleted_at": None}
             for n in part], ordered=False)
    order = (n for turn in range(19) for n in range(sessions) if n * 7919 % 19 >= turn)
    for start in range(0, messages, batch):
        db.messages.insert_many(
            [{"_id": ObjectId(), "session_id": ids[n], "user_id": users[n % len(users)],
              "content": "what was said " * 6, "role": "user" if m % 2 else "assistant",
              "created_at": T0 + datetime.timedelta(seconds=m), "updated_at": T0,
              "deleted": m % 50 == 49, "deleted_at": None}
             for m, n in zip(range(start, min(start + batch, messages)), order)], ordered=False)
    for collection, keys in (("messages", INDEX), ("chat_sessions", [("user_id", 1), ("updated_at", 1)]),
                             ("artifacts", [("session_id", 1)])):
        db[collection].create_index(keys)
    rebuild(db)
    return ids


def rebuild(db):
    """Set every count and time: what the server itself does at best, without a journal."""
    db.messages.aggregate([
        {"$group": {"_id": "$session_id", "message_count": {"$sum": {"$cond": [LIVE, 1, 0]}},
                    "last_message_at": {"$max": {"$cond": [LIVE, "$created_at", None]}}}},
        {"$merge": {"into": "chat_sessions", "whenMatched": "merge", "whenNotMatched": "discard"}}])


def watch_memory(pid, peak):
    """Follow a process's peak of resident memory (VmHWM, in KB) until it has ended."""
    status = Path(f"/proc/{pid}/status")
    while True:
        try:
            lines = status.read_text().splitlines()
        except OSError:
            return
        mark = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), None)
        if mark is None:  # a process that has ended has no memory any more
            return
        peak[0] = mark
        time.sleep(0.005)


class Tool:
    """The built program: runs a command and tells how long it took and how much memory it had at its peak."""

    def __init__(self, path, uri):
        self.path, self.uri, self.peaks = path, uri, {}

    def run(self, db, *command, name=None, expect=(0,)):
        """Run a command; its peak is kept under `name`, or under its words that are neither options nor values."""
        arguments = [self.path, *command, "--uri", self.uri, "--database", db.name, "--format", "json"]
        start = time.perf_counter()
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # `ru_maxrss` of a child begins with what its parent had; the kernel's high-water mark of the program doesn't.
        peak, watcher = [0], None
        watcher = threading.Thread(target=watch_memory, args=(process.pid, peak))
        watcher.start()
        output, errors = process.communicate()
        watcher.join()
        seconds = time.perf_counter() - start
        if process.returncode not in expect:
            sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{output.decode()}{errors.decode()}")
        name = name or " ".join(word for word in command if not word.startswith(("-", "/")) and "." not in word)
        self.peaks[name] = max(self.peaks.get(name, 0), peak[0] / 1024)
        return seconds, json.loads(output)


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def drain(cursor):
    for _ in cursor:
        pass


def forget(db):
    """Remove the tool's state, so that every measurement begins the same."""
    for name in db.list_collection_names():
        if name.startswith("chat_admin."):
            db.drop_collection(name)


class Table:
    def __init__(self, runs):
        self.runs, self.rows = runs, []

    def measure(self, ours, theirs, prepare):
        """The medians of both, taken in turn."""
        first, second = [], []
        for _ in range(self.runs):
            prepare()
            first.append(ours())
            prepare()
            second.append(theirs())
        return statistics.median(first), statistics.median(second)

    def add(self, work, against, goal, ours, theirs, prepare=lambda: None, least=False):
        """Measure a row; `least` says that the ratio is how many times faster the tool is, else its share of time."""
        mine, peer = self.measure(ours, theirs, prepare)
        ratio = peer / mine if least else mine / peer
        self.row(work, against, goal, mine, peer, ratio, least)

    def add_limited(self, work, against, limit, ours, theirs, prepare=lambda: None):
        """Measure a row whose goal is a time, in seconds."""
        mine, peer = self.measure(ours, theirs, prepare)
        verdict = "reached" if mine <= limit else "**not reached**"
        self.rows.append(f"| {work} | {against} | {mine:.3f} s | {peer:.3f} s | {mine / peer:.2f} × | ≤ {limit:g} s | {verdict} |")
        print(self.rows[-1], file=sys.stderr, flush=True)

    def row(self, work, against, goal, mine, peer, ratio, least=False):
        met = "" if goal is None else (ratio >= goal if least else ratio <= goal)
        sign = "≥" if least else "≤"
        shown = "" if goal is None else f"{sign} {goal:g} ×"
        verdict = "" if goal is None else ("reached" if met else "**not reached**")
        self.rows.append(
            f"| {work} | {against} | {mine:.3f} s | {peer:.3f} s | {ratio:.2f} × | {shown} | {verdict} |")
        print(self.rows[-1], file=sys.stderr, flush=True)


def count_rows(table, tool, db):
    codes = "count.wrong,count.type,last.wrong"
    check = lambda: tool.run(db, "check", "--only", codes)[0]
    table.add("count every session (`check`)", "one `$group`: live messages", 0.75, check,
              lambda: timed(lambda: drain(db.messages.aggregate(
                  [{"$group": {"_id": "$session_id", "n": {"$sum": {"$cond": [LIVE, 1, 0]}}}}]))))
    table.add("the same", "one `$group`: live messages and the times that `check` compares", None, check,
              lambda: timed(lambda: drain(db.messages.aggregate(
                  [{"$group": {"_id": "$session_id", "n": {"$sum": {"$cond": [LIVE, 1, 0]}},
                               "live": {"$max": {"$cond": [LIVE, "$created_at", None]}},
                               "newest": {"$max": "$created_at"}}}]))))


def whole_row(table, tool, db):
    """Everything that a check looks at, against one group of the messages on one connection."""
    group = {"_id": {"session": "$session_id", "owner": "$user_id"}, "n": {"$sum": {"$cond": [LIVE, 1, 0]}},
             "newest": {"$max": {"$cond": [LIVE, "$created_at", None]}}, "first": {"$min": "$_id"}}
    # The users have no full name, which is a finding.
    table.add("a whole `check`", "one `$group` by session and owner: live messages, newest time, smallest `_id`", 0.75,
              lambda: tool.run(db, "check", expect=(0, 1))[0],
              lambda: timed(lambda: drain(db.messages.aggregate([{"$group": group}], allowDiskUse=True))))


def incremental_rows(table, tool, db, ids, replica_set):
    """A check of what has changed, where one session in a hundred got a message, against a check of everything."""
    turn = [0]

    def touch():
        turn[0] += 1
        touched = ids[turn[0] % 100::100]
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        owners = {s["_id"]: s["user_id"] for s in db.chat_sessions.find({"_id": {"$in": touched}}, {"user_id": 1})}
        db.messages.insert_many(
            [{"session_id": session, "user_id": owners[session], "content": "one more", "role": "user",
              "created_at": now, "updated_at": now, "deleted": False, "deleted_at": None} for session in touched])
        db.chat_sessions.bulk_write(
            [UpdateOne({"_id": session}, {"$inc": {"message_count": 1},
                                          "$set": {"last_message_at": now, "updated_at": now}})
             for session in touched], ordered=False)

    def check(*options):
        return tool.run(db, "check", "--record", *options, expect=(0, 1), name=" ".join(("check",) + options))[0]

    forget(db)
    check()
    where = "a replica set" if replica_set else "standalone, with 1/24 of the whole"
    table.add(f"`check --incremental`, 1 % of the sessions changed ({where})", "a whole `check`",
              0.05 if replica_set else None, lambda: check("--incremental"), check, touch)
    forget(db)


def recount_rows(table, tool, db, ids):
    def drift():
        forget(db)
        db.chat_sessions.update_many({}, {"$set": {"message_count": -1, "last_message_at": None}})

    def ours():
        seconds, result = tool.run(db, "repair", "counts", "--offline", "--yes")
        changed = sum(c["changed"] for c in result["changes"] if c["code"] == "count.wrong")
        assert changed == len(ids), changed
        return seconds

    sample = ids[:: max(1, len(ids) // 2_000)]

    def script():
        def work():
            for session in sample:
                live = {"session_id": session, "deleted": False}
                newest = db.messages.find_one(live, {"created_at": 1}, sort=[("created_at", -1)])
                db.chat_sessions.update_one({"_id": session}, {"$set": {
                    "message_count": db.messages.count_documents(live),
                    "last_message_at": newest and newest["created_at"]}})
        return timed(work) * len(ids) / len(sample)

    table.add(f"rebuild {len(ids):,} drifted counts, journalled, `--offline`", "one `$group` + `$merge`, no journal",
              1.0, ours, lambda: timed(lambda: rebuild(db)), drift)
    table.add("the same", f"a script, session by session ({len(sample):,} of them, scaled)", 50, ours, script, drift,
              least=True)
    forget(db)
    rebuild(db)


def reference_rows(table, tool, db, ids):
    some = ids[:: max(1, len(ids) * 10 // REFERENCES)]
    count = db.messages.count_documents({"session_id": {"$in": some}})
    chosen = {"session_id": {"$in": some}}

    def damage():
        forget(db)
        mend()
        db.messages.update_many(chosen, [{"$set": {"session_id": {"$toString": "$session_id"}}}])

    def mend():
        db.messages.update_many({"session_id": {"$type": "string"}},
                                [{"$set": {"session_id": {"$toObjectId": "$session_id"}}}])

    def move():
        seconds, result = tool.run(db, "repair", "references", "--yes")
        changed = sum(c["changed"] for c in result["changes"] if c["code"] == "ref.string")
        assert changed == count, changed
        return seconds

    def script():
        """Batched and journalled, as a careful hand would write it."""
        def flush(batch):
            db.journal.with_options(write_concern=DURABLE).insert_one(
                {"items": [{"id": m["_id"], "before": m["session_id"]} for m in batch]})
            db.messages.with_options(write_concern=DURABLE).bulk_write(
                [UpdateOne({"_id": m["_id"], "session_id": m["session_id"]},
                           {"$set": {"session_id": ObjectId(m["session_id"])}}) for m in batch], ordered=False)

        def work():
            batch = []
            for message in db.messages.find({"session_id": {"$type": "string"}}, {"session_id": 1}):
                batch.append(message)
                if len(batch) == 1000:
                    flush(batch)
                    batch = []
            if batch:
                flush(batch)
        seconds = timed(work)
        db.drop_collection("journal")
        return seconds

    table.add(f"move {count:,} references, journalled", "one bare `updateMany`, no journal", 1.25, move,
              lambda: timed(mend), damage)
    table.add("the same", "a script, batched and journalled", None, move, script, damage)
    mend()
    forget(db)


def demo_row(table, tool, client, messages, topology):
    """Demo chats, journalled, against the same messages sent by pymongo without a journal."""
    ours, theirs, batch = client.bench_demo, client.bench_insert, 20_000
    sizes = f"users=100,sessions={messages // 100},messages={messages}"
    made = lambda: tool.run(ours, "seed", "--demo", sizes, name="seed --demo")[0]
    client.drop_database(ours.name)
    made()
    documents = list(ours.messages.find())

    def clear():
        client.drop_database(ours.name)
        client.drop_database(theirs.name)

    def insert():
        for start in range(0, len(documents), batch):
            theirs.messages.insert_many(documents[start:start + batch], ordered=False)

    table.add(f"make {messages:,} demo messages, journalled ({topology})",
              f"pymongo's `insert_many`, unordered, batches of {batch:,}", 2, made, lambda: timed(insert), clear, least=True)
    clear()


def identity_row(table, tool, db, small):
    codes = "id.empty,id.null,id.string,id.foreign"
    find = lambda base: lambda: tool.run(base, "check", "--only", codes)[0]
    table.add(f"find every bad `_id` among {db.messages.estimated_document_count():,} messages",
              f"itself, among {small.messages.estimated_document_count():,}", 1.5, find(db), find(small))


def step_rows(table, tool, client):
    """Fifty trivial steps, in a database of their own, against a Python tool of the kind."""
    db, count = client.bench_steps, 50
    program = str(Path(sys.executable).parent / "pymongo-migrate")
    uri = f"{tool.uri.rstrip('/')}/{db.name}"
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "trivial"), Path(folder, "python")
        ours.mkdir()
        theirs.mkdir()
        for n in range(1, count + 1):
            (ours / f"{n:03}_step.up.json").write_text('[{"ping": 1}]')
            after = [f"step{n - 1:03}"] if n > 1 else []
            (theirs / f"step{n:03}.py").write_text(
                f"name = 'step{n:03}'\ndependencies = {after}\ndef upgrade(db):\n    db.command('ping')\n")

        def python(command):
            return timed(lambda: subprocess.run([program, command, "-u", uri, "-m", str(theirs)], check=True,
                                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        mine = lambda *command: tool.run(db, "migrate", *command, "--steps", str(ours))[0]
        table.add_limited(f"apply {count} trivial steps (`migrate up`)", "pymongo-migrate, a Python tool", 0.15,
                          lambda: mine("up", "--yes"), lambda: python("upgrade"),
                          lambda: client.drop_database(db.name))
        mine("up", "--yes")
        table.add_limited("show where they stand (`migrate status`)", "the same", 0.05,
                          lambda: mine("status"), lambda: python("show"))
    client.drop_database(db.name)


def file_rows(table, tool, client):
    """Many documents changed by one step in a file, journalled, and reverted, against the server's own update."""
    db, count = client.bench_files, 100_000
    wanted = {"status": {"$exists": False}}
    documents = [{"name": f"n{n}", "text": "what was said " * 6, "n": n} for n in range(count)]
    settle = lambda: (client.drop_database(db.name), db.things.insert_many(documents))
    with tempfile.TemporaryDirectory() as folder:
        steps = Path(folder, "things")
        steps.mkdir()
        (steps / "001_status.up.json").write_text(json.dumps(
            [{"update": "things", "updates": [{"q": wanted, "u": {"$set": {"status": "active"}}, "multi": True}]}]))
        mine = lambda *command: tool.run(db, "migrate", *command, "--yes", "--steps", str(steps))[0]
        bare = lambda: timed(lambda: db.things.update_many(wanted, {"$set": {"status": "active"}}))
        table.add(f"set a field of {count:,} documents by a step in a file, journalled", "one bare `updateMany`, no journal",
                  3, lambda: mine("up"), bare, settle)

        def applied():
            settle()
            mine("up")
        table.add("revert that", "one bare `updateMany` with `$unset`", None, lambda: mine("down"),
                  lambda: timed(lambda: db.things.update_many({}, {"$unset": {"status": ""}})), applied)
    client.drop_database(db.name)


def memory(tool, db):
    """Run what no row measures, for its peak of memory: other commands, and the undo of each large repair."""
    def undone(command, *options):
        _, result = tool.run(db, *command, *options, "--yes")
        assert any(change["changed"] for change in result["changes"]), result
        tool.run(db, "runs", "undo", result["run"], "--yes", name=f"runs undo ({command[-1]})")

    forget(db)
    tool.run(db, "seed", "--yes", "--allow-here")
    db.chat_sessions.update_many({}, {"$inc": {"message_count": 1}})
    undone(("repair", "counts"), "--offline")
    rebuild(db)
    some = {"session_id": {"$in": db.chat_sessions.distinct("_id", {"title": {"$regex": "^chat 1"}})[:REFERENCES // 10]}}
    db.messages.update_many(some, [{"$set": {"session_id": {"$toString": "$session_id"}}}])
    undone(("repair", "references"))
    nobody = {"username": "nobody", "email": "nobody@example.com"}
    for name, other in (("users", nobody), ("chat_sessions", {}), ("messages", {})):
        db[name].insert_one(db[name].find_one() | {"_id": ""} | other)
    undone(("repair", "ids"))
    tool.run(db, "migrate", "plan", expect=(0, 2))
    tool.run(db, "migrate", "up", "--yes")
    tool.run(db, "migrate", "down", "--to", "0", "--yes", name="migrate down")
    tool.run(db, "check", expect=(0, 1))


def machine():
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())
    memory = next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines()
                  if line.startswith("MemTotal")) / 1024 / 1024
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--uri", "--tool", "--out"):
        parser.add_argument(name, required=True)
    parser.add_argument("--replica-set-uri", help="a server of its own, with --replSet, that isn't initiated yet")
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    client = MongoClient(options.uri)
    tool = Tool(options.tool, options.uri)
    sessions, messages = int(SESSIONS * options.scale), int(MESSAGES * options.scale)
    small, db = client.bench_small, client.bench
    load(small, 1_000, 10_000)
    ids = load(db, sessions, messages)
    print(f"loaded {messages:,} messages in {sessions:,} sessions", file=sys.stderr, flush=True)
    table = Table(options.runs)
    whole_row(table, tool, db)
    count_rows(table, tool, db)
    identity_row(table, tool, db, small)
    reference_rows(table, tool, db, ids)
    recount_rows(table, tool, db, ids)
    incremental_rows(table, tool, db, ids, False)
    step_rows(table, tool, client)
    file_rows(table, tool, client)
    demo_row(table, tool, client, min(messages, MESSAGES), "standalone")
    memory(tool, db)
    if options.replica_set_uri:
        client.drop_database(db.name)
        replicated = replica_set(options.replica_set_uri)
        followed = Tool(options.tool, options.replica_set_uri)
        incremental_rows(table, followed, replicated.bench, load(replicated.bench, sessions, messages), True)
        demo_row(table, followed, replicated, min(messages, MESSAGES), "a replica set")
        for name, peak in followed.peaks.items():
            tool.peaks[name] = max(tool.peaks.get(name, 0), peak)
    write(options, table, tool, client, sessions, messages)


def replica_set(uri):
    """Make a server a replica set of one, and wait until it takes writes."""
    direct = MongoClient(uri, directConnection=True)
    direct.admin.command("replSetInitiate", {"_id": "bench", "members": [{"_id": 0, "host": uri.split("//")[1]}]})
    client = MongoClient(uri, replicaSet="bench")
    client.admin.command("ping", read_preference=ReadPreference.PRIMARY)
    return client


def write(options, table, tool, client, sessions, messages):
    status = client.admin.command("serverStatus")
    cache = status["wiredTiger"]["cache"]["maximum bytes configured"] / 2**30
    settings = (("CACHE_GB", f"{cache:g}", "1"), ("RUNS", str(options.runs), "5"), ("SCALE", f"{options.scale:g}", "1"))
    repeat = "".join(f"{name}={value} " for name, value, usual in settings if value != usual)
    runs = f"Medians of {options.runs}" if options.runs > 1 else "One run"
    heading = f"## {messages:,} messages in {sessions:,} sessions"
    section = [
        heading, "",
        f"{machine()}; MongoDB {client.server_info()['version']}, standalone, cache {cache:g} GB, server and tool on the "
        f"same machine. {runs}, the tool and its peer in turn. {datetime.date.today()}. "
        f"Repeat with `{repeat}make bench`.", "",
        "| work | against | chat-admin | peer | ratio | goal | |", "|---|---|---|---|---|---|---|", *table.rows, "",
        "Peak memory: " + ", ".join(f"`{name}` {peak:.0f} MB" for name, peak in sorted(tool.peaks.items())) + ".", "",
    ]
    # Other scales' sections, and what people wrote around them, stay.
    path = Path(options.out)
    text = path.read_text() if path.exists() else "# Performance\n\n"
    parts = text.split("\n## ")
    kept = [parts[0].rstrip() + "\n"] + ["## " + part.rstrip() + "\n" for part in parts[1:]
                                        if not ("## " + part).startswith(heading + "\n")]
    position = next((n for n, part in enumerate(kept) if n > 0 and not part[3:4].isdigit()), len(kept))
    kept.insert(position, "\n".join(section))
    path.write_text("\n".join(kept))
    print("\n".join(section))


if __name__ == "__main__":
    main()
