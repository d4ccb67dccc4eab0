#!/usr/bin/env bash
# Examples/OwnSteps, built as its own package and run on a throwaway server: a program that brings its own steps has to
# go on building, and to do what docs/writing-steps.md says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'example: FAILED: %s\n' "$*" >&2; exit 1; }

swift build --package-path Examples/OwnSteps --scratch-path .build-example --product own-steps
readonly own_steps=.build-example/debug/own-steps

server=$(scripts/mongod.sh start)
trap 'scripts/mongod.sh stop "${server#* * }"' EXIT
readonly uri=mongodb://127.0.0.1:${server%% *}

# Runs the program and compares what it prints.
expect() { # OUTPUT ARGUMENT…
    local expected=$1 output
    shift
    output=$(SHOP_URI=$uri "$own_steps" "$@") || fail "own-steps $* ended with exit code $?"
    printf 'own-steps … %s\n%s\n' "$*" "$output"
    [[ $output == "$expected" ]] || fail "own-steps $* should have printed: $expected"
}

expect '1 add-status: pending' status
expect '1 add-status: applied' up
expect '' up
expect '1 add-status: applied' status
expect '1 add-status: reverted' down
expect '1 add-status: reverted' status
