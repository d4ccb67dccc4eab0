#!/usr/bin/env bash
# Holds what is in packaging/ against those who read it: systemd, promtool, the schemas of Kubernetes, a shell. Fails on
# any warning. Some seconds; nothing is started, and nothing is written but into a temporary folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly python=${CHAT_ADMIN_PYTHON:-$PWD/.tools/venv/bin/python}
readonly promtool=${CHAT_ADMIN_PROMTOOL:-$PWD/.tools/promtool/promtool}
readonly packaging=$PWD/packaging
# Of ten; what is left is mostly that it may talk to any address, for who knows where the database is.
readonly exposure=2.0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

failed=0
# Runs a validator that prints nothing, or nothing but lines that match PATTERN, where all is well.
silent() { # NAME PATTERN COMMAND…
    local name=$1 pattern=$2 status=0
    shift 2
    "$@" >"$scratch/output" 2>&1 || status=$?
    if ((status)) || grep -vqE "$pattern" "$scratch/output"; then
        printf 'test-packaging: FAILED: %s (exit code %d)\n' "$name" "$status" >&2
        cat "$scratch/output" >&2
        failed=1
    else
        printf 'ok  %s\n' "$name"
    fi
}

# ---- systemd

# The programs that units start aren't here, but somewhere; `verify` wants them there.
units=$scratch/units
mkdir -p "$units/chat-admin-check.service.d"
for unit in "$packaging"/systemd/*.{service,timer}; do
    sed -E 's,/usr/local/bin/chat-admin|/usr/sbin/sendmail,/bin/true,' "$unit" >"$units/$(basename "$unit")"
done
cp "$packaging/systemd/metrics.conf" "$units/chat-admin-check.service.d/"
verify() { SYSTEMD_UNIT_PATH="$units:" systemd-analyze --man=no verify "$@"; }
# A line that systemd doesn't understand is a warning, and no failure.
silent 'systemd: units' '^$' verify "$units"/chat-admin-check.{service,timer} "$units/chat-admin-notify@chat-admin-check.service"
silent "systemd: the check's exposure is $exposure at most" '^' \
    systemd-analyze security --no-pager --offline=true --threshold="${exposure/./}" "$units/chat-admin-check.service"
silent 'systemd: when' '^' systemd-analyze calendar "$(sed -n 's/^OnCalendar=//p' "$packaging/systemd/chat-admin-check.timer")"

# ---- Prometheus and Grafana

silent 'prometheus: rules' '^Checking |^  SUCCESS: |^$' "$promtool" check rules --lint=all --lint-fatal "$packaging/prometheus/alerts.yml"
silent 'prometheus: what they alarm about' '^Unit Testing: |^  SUCCESS$|^$' "$promtool" test rules "$packaging/prometheus/alerts_test.yml"
silent 'grafana: the dashboard, and metrics that it and the rules use' '^$' "$python" scripts/check_packaging.py metrics "$scratch/queries.yml"
# What the dashboard asks, as rules, so that promtool reads it.
silent 'grafana: queries' '^Checking |^  SUCCESS: |^$' "$promtool" check rules "$scratch/queries.yml"

# ---- Kubernetes

# 1.28's schema asks for both keys of a rule of podFailurePolicy, of which only one is allowed.
for version in 1.29 1.31 1.33 1.35 1.37; do
    silent "kubernetes: schema of $version" '^INFO .* passed for ' \
        env PYTHONPATH=.tools/kubernetes-validate "$python" -m kubernetes_validate --strict \
        --kubernetes-version "$version" "$packaging/kubernetes/cronjob.yaml"
done
silent 'kubernetes: what schemas don'"'"'t say' '^$' \
    env PYTHONPATH=.tools/kubernetes-validate "$python" scripts/check_packaging.py kubernetes

# ---- what is run: cron's line, the mail, and options that the program knows

silent "cron: mails what isn't well, and nothing else" '^$' "$python" scripts/check_packaging.py cron
silent 'systemd: the mail about a failure' '^$' "$python" scripts/check_packaging.py mail
program=${CHAT_ADMIN_BIN:-}
if [[ -z $program ]]; then
    # The one that was built last.
    for candidate in .build/release/chat-admin .build/debug/chat-admin; do
        [[ ! -x $candidate || (-n $program && $program -nt $candidate) ]] || program=$candidate
    done
fi
if [[ -n $program ]]; then
    silent "chat-admin: takes the options of all three" '^$' \
        env PYTHONPATH=.tools/kubernetes-validate "$python" scripts/check_packaging.py options "$program"
else
    printf '    chat-admin isn'"'"'t built: whether it takes the options here was not tried\n'
fi

((failed == 0)) || exit 1
