#!/bin/sh
# Runs a command, `make test` without one, on a bare Debian 12: as root, in a root that debootstrap
# makes (two minutes, once), with mounts and processes that end with it.
#
#     sh tests/bare.sh ROOT [COMMAND...]
set -eu
root=$1
shift
[ $# -gt 0 ] || set -- make test
here=$(cd "$(dirname "$0")/.." && pwd)
if ! [ -e "$root/etc/debian_version" ]; then
    debootstrap --variant=minbase --include=ca-certificates,make,python3,python3-pip,python3-venv \
        bookworm "$root"
fi
# As this machine reaches the world: names, certificates, and the environment.
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
    [ ! -e "$file" ] || cp -L "$file" "$root$file"
done
# The tree as it is, with what is not committed; the environment of an earlier run stays.
mkdir -p "$root/srv/muster"
find "$root/srv/muster" -mindepth 1 -maxdepth 1 ! -name .venv -exec rm -rf {} +
(cd "$here" && git ls-files -coz --exclude-standard | tar cf - --null -T -) |
    tar xf - -C "$root/srv/muster"
# Bound onto itself, the root is a mount of its own: programs in it make namespaces below it.
export root
exec unshare --mount --pid --ipc --fork --kill-child sh -euc '
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount -t tmpfs tmpfs "$root/dev/shm"
    mkdir -p "$root/dev/pts"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
    exec env -u VIRTUAL_ENV -u PYTHONPATH HOME=/root LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        chroot "$root" sh -c "cd /srv/muster && exec \"\$@\"" sh "$@"
' sh "$@"
