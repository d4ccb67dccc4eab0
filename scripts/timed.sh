#!/usr/bin/env bash
# Runs a command under a heading and says how long it took: scripts/timed.sh NAME COMMAND…
# Where CHAT_ADMIN_PHASES names a file, the line also goes there, for a summary.
set -uo pipefail
name=$1
shift
printf '== %s\n' "$name" >&2
start=${EPOCHREALTIME/[.,]/}
"$@"
status=$?
milliseconds=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
result=ok
((status == 0)) || result="FAILED with exit code $status"
printf -v line '%-28s %7d.%d s  %s' "$name" $((milliseconds / 1000)) $((milliseconds % 1000 / 100)) "$result"
printf '== %s\n' "$line" >&2
[[ -z ${CHAT_ADMIN_PHASES:-} ]] || printf '%s\n' "$line" >>"$CHAT_ADMIN_PHASES"
exit "$status"
