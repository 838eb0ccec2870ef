"""The lines that open a port of ours in the firewalls that administrators have.

Decides how a rule is written for nftables, ufw and firewalld. Refuses to run any of them: whoever
administers the machine's firewall does. Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from muster.core.values import dataclass

TOOLS = ("nft", "ufw", "firewalld")


@dataclass(frozen=True, slots=True)
class FirewallRules:
    """The port that machines connect to, and the commands that let them through.

    `networks` whose machines are let through, none for all. `address` is where the service listens,
    and `local` tells that only programs of the same machine reach that, so that no rule is needed.
    `running`: the port is that of the process that serves now. Each of `nft`, `ufw` and
    `firewalld` is a list of command lines.
    """

    port: int
    address: str
    networks: tuple[str, ...]
    local: bool
    running: bool
    nft: tuple[str, ...]
    ufw: tuple[str, ...]
    firewalld: tuple[str, ...]


def firewall_rules(
    service: str,
    port: int,
    address: str,
    networks: Sequence[str] = (),
    *,
    running: bool = False,
) -> FirewallRules:
    """The rules for one TCP port.

    Args:
        service: what listens, for comments: letters, digits and hyphens.
        port: 1 to 65535.
        address: where it listens, an IP address; the rules hold for that family.
        networks: in CIDR form; none lets everybody through.
        running: the port was asked of the process that serves.
    """
    listens = ipaddress.ip_address(address)
    # `::` takes IPv4 as well.
    both = listens.version == 6 and listens.is_unspecified
    families: tuple[int, ...] = (4, 6) if both else (listens.version,)
    known = [ipaddress.ip_network(network, strict=False) for network in networks]
    named = tuple(str(network) for network in known if network.version in families)
    return FirewallRules(
        port=port,
        address=address,
        networks=named,
        local=listens.is_loopback,
        running=running,
        nft=_nft(service, port, named),
        ufw=_ufw(service, port, named),
        firewalld=_firewalld(port, named),
    )


def _by_family(networks: Sequence[str]) -> list[tuple[str, str]]:
    """The networks of IPv4, and those of IPv6, as nftables names families."""
    families: dict[str, list[str]] = {"ip": [], "ip6": []}
    for network in networks:
        families["ip6" if ":" in network else "ip"].append(network)
    return [(family, ", ".join(found)) for family, found in families.items() if found]


def _nft(service: str, port: int, networks: Sequence[str]) -> tuple[str, ...]:
    # Inserted in front of the others: a table of its own would not do, because what one base chain
    # accepts the next one still drops.
    tail = f'tcp dport {port} accept comment "{service}"'
    sources = [f"{family} saddr {{ {found} }} " for family, found in _by_family(networks)] or [""]
    return tuple(f"nft 'insert rule inet filter input {source}{tail}'" for source in sources)


def _ufw(service: str, port: int, networks: Sequence[str]) -> tuple[str, ...]:
    if not networks:
        return (f"ufw allow {port}/tcp comment '{service}'",)
    return tuple(
        f"ufw allow proto tcp from {network} to any port {port} comment '{service}'"
        for network in networks
    )


def _firewalld(port: int, networks: Sequence[str]) -> tuple[str, ...]:
    rules = [f"--add-port={port}/tcp"]
    if networks:
        rules = [
            f'--add-rich-rule=\'rule family="ipv{6 if ":" in network else 4}" source'
            f' address="{network}" port port="{port}" protocol="tcp" accept\''
            for network in networks
        ]
    return (*(f"firewall-cmd --permanent {rule}" for rule in rules), "firewall-cmd --reload")
