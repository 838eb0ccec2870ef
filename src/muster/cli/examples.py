"""An example of each command, which its `--help` shows; a test runs every one of them.

Names in them: a product of the sample catalogue, host kms1.corp.example.
"""

from __future__ import annotations

_LINES = """
client activate --product contoso-office-2010
client agent --store /var/lib/muster
client catalogue import contoso.publisher
client clear-domain
client clear-host
client clear-publisher
client confirm 123456 234567 345678 456789
client discover --no-probe
client facts --values
client history
client host-caching off
client host-tls on
client identity device
client install-key -
client installation-id --qr code.svg
client licence --out desktop.licence
client product add desktop.json
client product list
client product remove contoso-office-2010
client release
client reset-clock-mark
client set-domain corp.example
client set-host kms1.corp.example:16880
client set-publisher https://activation.example
client status
client uninstall-key --product contoso-office-2010
client wait --timeout 60
demo --clients 30
doctor
host activate --publisher-url https://activation.example
host backup host.backup
host catalogue fetch
host catalogue import contoso.publisher
host check
host client-config --host kms1.corp.example:16880
host clients --limit 20
host firewall --tool ufw
host init --publisher contoso.publisher
host install-key -
host log --audit
host publish-dns --print
host remove-key 8KFQM
host remove-publisher contoso
host restore host.backup
host serve --port 16880
host set retry_interval 3600
host status
host terms fetch
host terms import reply.json
manager add pc-17.corp.example --address 10.1.0.17 --tag pilot
manager discover machines.csv
manager filter list
manager filter remove pilots
manager filter save pilots tag=pilot !group=servers
manager log --limit 20
manager machines group=servers
manager remove pc-17.corp.example
manager tag pilot pc-17.corp.example
publisher activation revoke 0123456789abcdefghijkl
publisher audit export audit.jsonl
publisher audit list --limit 20
publisher audit verify
publisher backup publisher.backup
publisher catalogue diff next.toml
publisher catalogue publish next.toml
publisher catalogue show
publisher check
publisher clock confirm 2026-11-27
publisher clock repair
publisher clock show
publisher confirm --request request.json --reply reply.json
publisher descriptor contoso-office-2010 --out office.json
publisher export contoso.publisher
publisher firewall --tool ufw
publisher host activate --request request.json --reply reply.json
publisher host list
publisher host release 0123456789abcdefghijkl
publisher host revoke 0123456789abcdefghijkl
publisher host terms 0123456789abcdefghijkl --limit 500 --agreement A-1
publisher init --sample --reserve-root reserve.key
publisher key correct 1-1-4711 --add 1 --reason disk-exchanged
publisher key extend 1-1-4711 --pool 200
publisher key issue --kind host --group server-c
publisher key limit 0-3-815 --hosts 8 --reason more-sites
publisher key list
publisher key revoke 1-1-4711
publisher key show 1-1-4711
publisher product list
publisher product revoke contoso-office-2010
publisher product show contoso-office-2010
publisher restore publisher.backup
publisher resume --accept-loss
publisher serve --port 16882
publisher status
publisher trust recover --reserve-root reserve.key
publisher trust rotate
publisher trust show
slmgr /dlv
verify desktop.licence --descriptor desktop.json
"""

LINES: tuple[str, ...] = tuple(_LINES.split("\n")[1:-1])
"""What follows `muster`, sorted."""


def example_of(command: str) -> str:
    """The example of a command, named by the words behind `muster`; "" where there is none."""
    found = [line for line in LINES if f"{line} ".startswith(f"{command} ")]
    return found[0] if found else ""
