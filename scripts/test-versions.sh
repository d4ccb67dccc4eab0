#!/usr/bin/env bash
# The tests of commands and faults, run on each server of scripts/mongodb.txt but the first. Goes on when one fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=()
while read -r version _; do
    skip=VersionsTests
    # Not even an insert stores such names there at a document's top level.
    [[ $version != 4.* ]] || skip+='|strangeBytes|dollarFields'
    CHAT_ADMIN_MONGOD=$PWD/.tools/mongodb/$version/mongod scripts/timed.sh "MongoDB $version" \
        swift test --skip-build --disable-xctest --filter 'CommandTests|FaultTests' --skip "$skip" ||
        failed+=("$version")
done < <(awk '!/^#/ && NF { if (n++) print }' scripts/mongodb.txt)
((${#failed[@]} == 0)) || { printf 'test-versions: FAILED on %s\n' "${failed[*]}" >&2; exit 1; }
