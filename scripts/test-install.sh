#!/usr/bin/env bash
# Installs chat-admin into a Debian 12 that has nothing of Swift, and does a day's work with it there: what README says
# about installing is true, or this fails. Needs root, and debootstrap from the package of that name; some minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'test-install: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

((EUID == 0)) || die "only root can make a system in a folder"
command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install -y debootstrap"
[[ -x .build/release/chat-admin ]] || die "there is no .build/release/chat-admin: make build"

root=$(mktemp -d /tmp/chat-admin-debian.XXXXXX)
chmod 755 "$root"  # apt gives up its rights, and has to read there
server=
readonly largest=25000000  # the bytes that the program may have: Foundation alone would double them
clean_up() {
    [[ -z $server ]] || scripts/mongod.sh stop "$server" >/dev/null
    ! mountpoint --quiet "$root/proc" || umount "$root/proc"
    rm -rf --one-file-system "$root"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

inside() { chroot "$root" env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root "$@"; }

say "making a Debian 12 in $root"
debootstrap --variant=minbase bookworm "$root" >"$root.log" 2>&1 || { tail "$root.log" >&2; die "debootstrap failed"; }
rm -f "$root.log"
mount -t proc proc "$root/proc" || say "/proc can't be mounted; going on without"

mapfile -t packages < <(grep -v '^#' scripts/runtime-packages.txt)
say "installing ${packages[*]}"
cp /etc/resolv.conf "$root/etc/" 2>/dev/null || true
for file in /etc/apt/apt.conf.d/*proxy*; do [[ ! -e $file ]] || cp "$file" "$root/etc/apt/apt.conf.d/"; done
inside env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" >/dev/null 2>"$root/apt.log" ||
    { cat "$root/apt.log" >&2; die "apt-get failed"; }

make --no-print-directory install DESTDIR="$root"
size=$(stat -c %s "$root/usr/local/bin/chat-admin")
say "installed: $size bytes"
((size <= largest)) || die "more than $largest bytes: is Foundation linked in, where FoundationEssentials would do?"
! inside ldd /usr/local/bin/chat-admin | grep -q 'not found' || die "libraries are missing: $(inside ldd /usr/local/bin/chat-admin)"
! inside ldd /usr/local/bin/chat-admin | grep -iq swift || die "a library of Swift's is needed"

read -r port _ server < <(scripts/mongod.sh start)
uri=mongodb://127.0.0.1:$port/chat
inside chat-admin --version
inside chat-admin seed --uri "$uri"
inside chat-admin migrate up --uri "$uri" --offline --yes >/dev/null
inside chat-admin check --uri "$uri"
printf 'uri: %s\n' "$uri" >"$root/root/chat-admin.yaml"
inside sh -c 'cd && chat-admin check --quiet --format json' | grep -q '"clean":true' || die "check with chat-admin.yaml failed"
say "it works there"
