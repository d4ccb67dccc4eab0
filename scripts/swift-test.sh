#!/usr/bin/env bash
# `swift test` with the given arguments; what failed is said once more at the end, where it isn't lost between hundreds of passed tests.
set -uo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
swift test "$@" 2>&1 | tee "$log"
status=$?
if ((status != 0)); then
    printf '\n== what failed:\n'
    awk '/^✘/ { print; following = 1; next } /^(◇|✔|↳ ✔)/ { following = 0 } following' "$log" | cut -c 1-2000 | tail -n 150
fi >&2
exit "$status"
