#!/usr/bin/env bash
# Checks the layout of the sources, and that Foundation isn't linked into the program: scripts/lint.sh PATH…
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

swift format lint --strict --recursive "$@"

# FoundationEssentials does; Foundation brings 40 MB of ICU. Tests and the build's own tool may have it.
if grep -rnE --include='*.swift' '^ *(@testable +|public +|package +|internal +)?import Foundation$' Sources |
    grep -vE '^Sources/(TestSupport|source-checksums)/'; then
    echo 'lint: import FoundationEssentials instead, and Glibc for what is the C library'"'"'s' >&2
    exit 1
fi

# What a library says is for every program that uses it: chat-admin puts its advice into words (AdviceWords).
libraries=(BSON MongoDriver Journal MigrationEngine StepFiles Consistency Chat InputFiles Checksums Migrations)
if grep -rnE --include='*.swift' '"[^"]*(`(migrate (up|down|mark|plan|status|validate|baseline|unlock|create)|repair |runs |seed`|check`|chat-admin )|--[a-z])' \
    "${libraries[@]/#/Sources/}" | grep -vE '^[^:]+:[0-9]+: *//'; then
    echo 'lint: a library names no command and no option; give an Advice instead' >&2
    exit 1
fi
