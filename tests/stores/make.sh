#!/bin/sh
# Makes a store of each role by the Muster of a checkout, for tests of later versions: in a folder of
# its own, in a network namespace, served at the usual ports. As root:
#
#     unshare --net --uts sh tests/stores/make.sh CHECKOUT PYTHON FOLDER
set -eu
checkout=$1 python=$2 folder=$3
ip link set lo up
hostname machine
mkdir -p "$folder/home" "$folder/clients"
cd "$folder"
export PYTHONPATH="$checkout/src" HOME="$folder/home" MUSTER_STORE="$folder"
export MUSTER_PASSPHRASE=passphrase-of-tests MUSTER_ROOT_PASSPHRASE=passphrase-of-roots
muster() { "$python" -m muster "$@"; }
key() { "$python" -c 'import json, sys; print(json.load(sys.stdin)["keys"][0]["key"])'; }
client() { muster client "$@" --store "$folder/clients/$number" --facts "$folder/clients/$number.facts"; }
cheap="--kdf scrypt --kdf-log-n 1 --kdf-r 1"
muster publisher init --sample --reserve-root "$folder/reserve.key" $cheap
"$python" -m muster publisher serve >home/publisher.log &
publisher=$!
until curl -sf -o home/answer http://127.0.0.1:16882/healthz; do sleep 0.2; done
muster publisher export --url http://127.0.0.1:16882 contoso
muster host init --publisher contoso
muster publisher key issue --kind host --group server-c --json | key | muster host install-key -
muster host activate
muster host set publish-dns false
muster host set news-interval 0
"$python" -m muster host serve >home/host.log &
host=$!
until curl -sf -o home/answer http://127.0.0.1:16880/healthz; do sleep 0.2; done
mak=$(muster publisher key issue --kind mak --group office-2010 --pool 10 --json | key)
server=contoso-server-2008-standard office=contoso-office-2010
for product in $server $office; do
    muster publisher descriptor $product --out "$product.json"
done
for number in 1 2 3 4 5 6; do
    uuid=$(cat /proc/sys/kernel/random/uuid)
    printf '{"v":1,"facts":{"system-uuid":"%s"}}\n' "$uuid" >"clients/$number.facts"
    client product add "$server.json"
    muster client set-host 127.0.0.1 --store "$folder/clients/$number"
    client activate || true
done
# The first was refused then and is licensed now; the sixth also activates a program once, for ever.
number=1
client activate
number=6
client product add "$office.json"
printf '%s' "$mak" | client install-key - --product $office
client activate --product $office --publisher-url http://127.0.0.1:16882
# What this version says of them.
mkdir said
muster host status --json >said/host-status.json
muster host clients --json >said/host-clients.json
muster host log --json >said/host-log.json
muster publisher key list --json >said/publisher-keys.json
muster publisher audit list --json >said/publisher-audit.json
for number in 1 6; do client status --json >"said/client-$number.json"; done
kill $host $publisher
wait
rm -r home clients/[2-5]* reserve.key publisher/keys/root-* ./*.json contoso
