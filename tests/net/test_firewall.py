"""The lines for firewalls; those of nftables are run by nft itself, against a chain that drops."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from muster.net.firewall import firewall_rules
from muster.testing.netns import Lab, Node, why_not

DROPS = """
table inet filter {
    chain input { type filter hook input priority filter; policy drop; }
}
"""
"""What a firewall that lets nobody in looks like, by the names of Debian's /etc/nftables.conf."""


def test_lines_for_everybody() -> None:
    rules = firewall_rules("muster-host", 16880, "0.0.0.0")
    assert rules.nft == (
        "nft 'insert rule inet filter input tcp dport 16880 accept comment \"muster-host\"'",
    )
    assert rules.ufw == ("ufw allow 16880/tcp comment 'muster-host'",)
    assert rules.firewalld == (
        "firewall-cmd --permanent --add-port=16880/tcp",
        "firewall-cmd --reload",
    )
    assert not rules.local


def test_lines_for_some_networks() -> None:
    rules = firewall_rules("muster-host", 443, "::", ("10.0.0.0/8", "2001:db8::/32"))
    assert [line.split("input ")[1].split(" tcp")[0] for line in rules.nft] == [
        "ip saddr { 10.0.0.0/8 }",
        "ip6 saddr { 2001:db8::/32 }",
    ]
    assert rules.ufw == (
        "ufw allow proto tcp from 10.0.0.0/8 to any port 443 comment 'muster-host'",
        "ufw allow proto tcp from 2001:db8::/32 to any port 443 comment 'muster-host'",
    )
    assert 'family="ipv6" source address="2001:db8::/32"' in rules.firewalld[1]


@pytest.mark.parametrize(
    ("address", "networks", "local"),
    [
        ("127.0.0.1", ("10.0.0.0/8",), True),
        ("::1", ("2001:db8::/32",), True),
        ("192.0.2.7", ("10.0.0.0/8",), False),
        ("2001:db8::7", ("2001:db8::/32",), False),
    ],
)
def test_only_the_family_that_is_listened_on(
    address: str, networks: tuple[str, ...], local: bool
) -> None:
    rules = firewall_rules("x", 1, address, ("10.0.0.0/8", "2001:db8::/32"))
    assert (rules.networks, rules.local) == (networks, local)


@pytest.fixture
def nodes() -> Iterator[tuple[Node, Node]]:
    lacks = why_not() or (None if shutil.which("nft") else "needs nft: apt-get install nftables")
    if lacks:
        pytest.skip(lacks)
    with Lab() as lab:
        host, machine = lab.node("host"), lab.node("machine")
        loaded = subprocess.run(
            host.wrap(["nft", "-f", "-"]), input=DROPS, text=True, capture_output=True, check=False
        )
        if loaded.returncode:
            pytest.skip(f"this kernel does not take nftables: {loaded.stderr}")
        yield host, machine


def reaches(machine: Node, address: str, port: int) -> bool:
    script = f"import socket; socket.create_connection(({address!r}, {port}), 1).close()"
    asked = machine.wrap([sys.executable, "-c", script])
    return subprocess.run(asked, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.mark.real
def test_nft_lets_through_whom_the_line_names(nodes: tuple[Node, Node]) -> None:
    host, machine = nodes
    serve = "import socket; s = socket.create_server(('', 16880)); print('on', flush=True); input()"
    with subprocess.Popen(
        host.wrap([sys.executable, "-c", serve]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"on\n"
        assert not reaches(machine, host.address, 16880)
        for networks, through in (
            (("192.0.2.0/24", "2001:db8::/32"), False),
            (("192.0.2.0/24", "10.77.0.0/16"), True),
        ):
            for line in firewall_rules("muster-host", 16880, "::", networks).nft:
                subprocess.run(host.wrap(["sh", "-euc", line]), check=True)
            assert reaches(machine, host.address, 16880) == through
        server.communicate(b"\n")
