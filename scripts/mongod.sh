#!/usr/bin/env bash
# A throwaway standalone MongoDB on loopback, for the demo, tests and benchmarks.
#
#   scripts/mongod.sh path                  print which mongod is used: $CHAT_ADMIN_MONGOD, PATH, or .tools
#   scripts/mongod.sh start [MONGOD-ARG…]   start one, wait until it answers, print "PORT PID DIR"
#   scripts/mongod.sh stop DIR              end the one that `start` put into DIR, and remove DIR
#
# `stop` ends a process only if it is the one that runs on DIR, whatever else has got its number meanwhile.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly python=${CHAT_ADMIN_PYTHON:-$root/.tools/venv/bin/python}
readonly ready_seconds=60  # a cold start takes about 2 s; a busy machine may need ten times that
readonly stop_seconds=30

die() { printf 'mongod.sh: %s\n' "$*" >&2; exit 1; }

mongod_path() {
    if [[ -n ${CHAT_ADMIN_MONGOD:-} ]]; then
        [[ -x $CHAT_ADMIN_MONGOD ]] || die "CHAT_ADMIN_MONGOD names no program: $CHAT_ADMIN_MONGOD"
        printf '%s\n' "$CHAT_ADMIN_MONGOD"
    elif command -v mongod; then
        :
    else
        local version found
        version=$(awk '!/^#/ && NF { print $1; exit }' "$root/scripts/mongodb.txt")
        found=$root/.tools/mongodb/$version/mongod
        [[ -x $found ]] || die "there is no mongod; run 'make setup'"
        printf '%s\n' "$found"
    fi
}

# Whether process PID is the server that runs on DIR. A dead one, even if not reaped yet, has no command line.
runs_on() { # PID DIR
    local command_line
    [[ -r /proc/$1/cmdline ]] || return 1
    command_line=$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline") || return 1
    [[ $command_line == *" --dbpath $2/db "* ]]
}

# A port that nobody listens on, below those that the system lends to outgoing connections.
free_port() {
    "$python" -c 'import pathlib, random, socket
lent = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
ports = [random.randrange(20_000, lent) for _ in range(100)] if lent > 20_000 else []
for port in [*ports, 0]:
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(s.getsockname()[1])
        break'
}

# Waits until the server on PORT answers a ping and is process PID. Fails when PID ends or the time is over.
wait_until_ready() { # PORT PID
    "$python" - "$1" "$2" "$ready_seconds" <<'PYTHON'
import sys, time
from pymongo import MongoClient
from pymongo.errors import PyMongoError

port, pid, seconds = map(int, sys.argv[1:])
deadline = time.monotonic() + seconds
client = MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=100, connectTimeoutMS=1000)


def running():
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


while running():
    try:
        client.admin.command("ping")
        # Somebody else may have taken the port between choosing it and using it. With --auth the question isn't
        # answered; then the server that answers on our port while our process lives is ours.
        try:
            sys.exit(client.admin.command("serverStatus")["pid"] != pid)
        except PyMongoError:
            sys.exit(0)
    except PyMongoError:
        if time.monotonic() > deadline:
            sys.exit(f"mongod.sh: no answer on port {port} within {seconds} s")
    time.sleep(0.05)
sys.exit(1)
PYTHON
}

start() {
    local mongod attempt port
    mongod=$(mongod_path)
    [[ -x $python ]] || die "there is no Python environment; run 'make setup'"
    dir=$(mktemp -d "${TMPDIR:-/tmp}/chat-admin-mongod.XXXXXX")
    pid=
    trap abandon EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    for attempt in 1 2 3; do  # a port found free may be taken a moment later
        rm -rf "$dir/db" && mkdir "$dir/db"
        port=$(free_port)
        # A session of its own, so that Ctrl-C reaches whoever asked for the server and not the server.
        # Some of the servers that setup fetches need what it put into openssl-1.1; no other program knows those names.
        LD_LIBRARY_PATH=$root/.tools/openssl-1.1${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
            setsid "$mongod" --dbpath "$dir/db" --port "$port" --bind_ip 127.0.0.1 \
            --wiredTigerCacheSizeGB "${CHAT_ADMIN_MONGOD_CACHE_GB:-0.25}" --nounixsocket \
            --logpath "$dir/mongod.log" --setParameter diagnosticDataCollectionEnabled=false "$@" \
            </dev/null >"$dir/output" 2>&1 &
        pid=$!
        if wait_until_ready "$port" "$pid"; then
            printf '%s\n' "$pid" >"$dir/pid"
            trap - EXIT
            printf '%s %s %s\n' "$port" "$pid" "$dir"
            return
        fi
        end_child
    done
    tail -n 5 "$dir/output" "$dir/mongod.log" >&2 2>/dev/null || true
    die "mongod didn't start in $attempt attempts"
}

# Ends the server that this very process is starting.
end_child() {
    [[ -n $pid ]] || return 0
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
}

abandon() {
    end_child
    rm -rf "$dir"
}

stop() { # DIR
    local dir=${1%/} pid deadline
    [[ -d $dir ]] || return 0
    [[ -f $dir/pid && -d $dir/db ]] || die "$dir isn't a folder that 'start' made"
    pid=$(<"$dir/pid")
    if runs_on "$pid" "$dir"; then
        kill -TERM "$pid" 2>/dev/null || true
        deadline=$((SECONDS + stop_seconds))
        while runs_on "$pid" "$dir"; do
            if ((SECONDS > deadline)); then
                kill -KILL "$pid" 2>/dev/null || true
            fi
            sleep 0.05
        done
    fi
    rm -rf "$dir"
}

case ${1:-} in
path) mongod_path ;;
start) start "${@:2}" ;;
stop) stop "${2:?stop needs the DIR that start printed}" ;;
*) die "usage: mongod.sh path | start [MONGOD-ARG…] | stop DIR" ;;
esac
