#!/usr/bin/env bash
# The incident, found and repaired on a throwaway server. Every exit code is checked: an unexpected one ends the demo
# with a sentence and exit code 1. No other server is touched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly chat_admin=${CHAT_ADMIN_BIN:-.build/release/chat-admin}
readonly python=${CHAT_ADMIN_PYTHON:-.tools/venv/bin/python}
readonly database=chat

fail() { printf '\ndemo: FAILED: %s\n' "$*" >&2; exit 1; }
[[ -x $chat_admin ]] || fail "there is no $chat_admin; run 'make demo', which builds it first"

# Everything below runs beside a throwaway server that holds the incident, and ends with this script. The tool finds it by
# what `sandbox exec` sets; a name of its own keeps away from a sandbox that runs already.
if [[ -z ${CHAT_ADMIN_DEMO:-} ]]; then
    export CHAT_ADMIN_DEMO=$$
    status=0
    "$chat_admin" sandbox exec "demo-$$" --incident --database "$database" -- scripts/demo.sh || status=$?
    # Where it couldn't be started there is nothing to remove.
    "$chat_admin" sandbox stop "demo-$$" --purge >/dev/null 2>&1 || true
    exit "$status"
fi

step=0
heading() { step=$((step + 1)); printf '\n== %d. %s\n\n' "$step" "$1"; }

# Runs a command, shows it, and fails unless its exit code is one of those expected (separated by |).
expect() { # CODES MEANING COMMAND…
    local codes=$1 meaning=$2 status=0
    shift 2
    # Nobody answers questions here, also not on a terminal.
    "$@" </dev/null || status=$?
    [[ "|$codes|" == *"|$status|"* ]] || fail "exit code $status where $codes was expected ($meaning)"
    printf '\n-- exit code %d: %s\n' "$status" "$meaning"
}

run() { # CODES MEANING ARGUMENT…
    local codes=$1 meaning=$2
    shift 2
    printf '$ chat-admin %s\n' "$*"
    expect "$codes" "$meaning" "$chat_admin" "$@"
}

heading 'A throwaway MongoDB with the damaged database in it'
printf '$ chat-admin sandbox exec --incident -- …\n%s\n' "$CHAT_ADMIN_URI"

heading 'What is wrong? A check looks and changes nothing. Nobody writes here, so no count has to settle'
run 1 'findings' check --settle 0

heading 'What would be done? The plan writes nothing either'
run 2 'steps are pending' migrate plan

heading 'Do it: guard, ids, references, indexes, counts. Nobody else writes here, so there is no waiting'
run '0|1' 'done; 1 if something is left that nobody can repair' migrate up --offline --yes

heading 'What is left? Only what cannot be repaired without guessing'
run 1 'what a person has to decide' check --settle 0
# The incident has exactly two of these; see fixtures/incident/README.md.
status=0
report=$("$chat_admin" check --settle 0 --format json </dev/null) || status=$?
((status == 1)) || fail "check --format json: exit code $status where 1 was expected"
"$python" -c 'import json, sys
left = [(f["code"], f["count"]) for f in json.load(sys.stdin)["findings"] if f["severity"] == "error"]
if sorted(left) != [("ref.dangling", 1), ("ref.empty", 1)]:
    sys.exit(f"left over: {left}")' <<<"$report" || fail 'the check should name two messages and nothing else'

heading 'Users to log in with'
# The incident has users of its own, and the passwords of these two are known to everybody.
run 0 'alice and testuser are there' seed --allow-here --yes

heading 'Can the application log alice in? Asked with its own library for passwords, not with chat-admin'
for login in alice alice@example.com; do
    expect 0 'logged in' "$python" scripts/verify_login.py "$login" --uri "$CHAT_ADMIN_URI" --database "$database" --users fixtures/users.json
done

printf '\ndemo: ok. The database was found broken, repaired and seeded, and alice can log in by name and by email.\n'
printf 'demo: left for a person: a message without a session, and one whose session nobody can tell.\n'
