#!/bin/sh
# The real parts that the tests start. Installs what is missing when root; otherwise says what to install.
set -eu
missing=""
need() { # command, Debian package
    if ! command -v "$1" >/dev/null 2>&1 && ! [ -x "/usr/sbin/$1" ]; then
        case " $missing " in *" $2 "*) ;; *) missing="$missing $2" ;; esac
    fi
}
need named bind9
need nsupdate bind9-dnsutils
need dig bind9-dnsutils
need krb5kdc krb5-kdc
need kadmin.local krb5-admin-server
need kinit krb5-user
need ip iproute2
need nft nftables
need strace strace
[ -n "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || need initdb postgresql
need psql postgresql-client
need ssh openssh-client
need ssh-keygen openssh-client
need setpriv util-linux
need unshare util-linux
need debootstrap debootstrap
need podman podman
need crun crun
need lintian lintian
need dpkg-deb dpkg
need dpkg dpkg
need gpg gpg
need gpgconf gpgconf
need rpmbuild rpm
need systemd-analyze systemd
need go golang-go
need node nodejs
need npm npm
need promtool prometheus
need prometheus prometheus
# Languages of docs/agent.md.
need curl curl
need cc gcc
need cc libc6-dev
need javac default-jdk-headless
need rustc rustc
# Shells that complete.
need zsh zsh
need fish fish
# The Go verifier builds with what Debian 12 brings.
if command -v go >/dev/null 2>&1; then
    minor=$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    if [ "${minor:-0}" -lt 19 ]; then
        echo "go is $(go env GOVERSION); the Go verifier needs 1.19 or newer" >&2
        [ "${CI:-}" != true ] || exit 1
    fi
fi
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing:$missing"
    apt-get update -q >/dev/null
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null
elif [ "${CI:-}" = true ]; then
    echo "these packages are missing and nobody here may install them:$missing" >&2
    exit 1
else
    echo "some tests will be skipped; to run them: sudo apt-get install$missing"
fi
