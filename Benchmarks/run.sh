#!/usr/bin/env bash
# Measures chat-admin against what the server itself and plain scripts need, and writes docs/performance.md.
#
#   SCALE=1    1,000,000 messages in 100,000 sessions; SCALE=10 ten times that
#   CACHE_GB=1 the server's cache
#   RUNS=5     how often each thing is measured; medians are shown
#   OUT=FILE   where the Markdown goes; docs/performance.md by default
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${CHAT_ADMIN_PYTHON:-.tools/venv/bin/python}
swift build -c release --product chat-admin --static-swift-stdlib >&2  # as `make build` does
read -r port _ dir < <(CHAT_ADMIN_MONGOD_CACHE_GB=${CACHE_GB:-1} scripts/mongod.sh start)
trap 'scripts/mongod.sh stop "$dir"' EXIT
read -r member _ second < <(CHAT_ADMIN_MONGOD_CACHE_GB=${CACHE_GB:-1} scripts/mongod.sh start --replSet bench)
trap 'scripts/mongod.sh stop "$dir"; scripts/mongod.sh stop "$second"' EXIT
"$python" Benchmarks/bench.py --uri "mongodb://127.0.0.1:$port" --tool .build/release/chat-admin \
    --replica-set-uri "mongodb://127.0.0.1:$member" --scale "${SCALE:-1}" --runs "${RUNS:-5}" \
    --out "${OUT:-docs/performance.md}"
