"""Names and addresses by what can be reached by them: from anywhere, from this machine alone, from
nowhere.

Decides by the registries alone (RFC 6761, RFC 6890) and asks no network. Refuses to know who wants
to connect where. A loopback address is a good place for a program beside its server, and no good
one to tell other machines.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from muster.core.catalogue import error

_LOCAL = ("localhost", "localdomain", "localhost6", "localdomain6")
"""Last labels of names that every machine has for itself (RFC 6761; /etc/hosts of distributions).
"""
_LOOPBACK = ("loopback", "ip6-localhost", "ip6-loopback")
"""Whole names of that kind."""


def only_here(name: str) -> bool:
    """Whether a name means, on every machine, the machine itself."""
    name = name.lower().removesuffix(".")
    return name in _LOOPBACK or name.rpartition(".")[2] in _LOCAL


def nowhere(host: str) -> str:
    """Why no program can connect to an address; "" for one that may be reached, and for names.

    Args:
        host: a name or an address, without brackets and port.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_unspecified:
        return "it means every address of the machine that listens, and none to connect to"
    if address.is_multicast or address == ipaddress.ip_address("255.255.255.255"):
        return "it is the address of many machines at once"
    six = address if isinstance(address, ipaddress.IPv6Address) else None
    if six is not None and six.is_link_local and not six.scope_id:
        return "it is of one link, and does not say which: its interface is missing"
    return ""


def check_host(host: str, given: str) -> None:
    """Refuse a place that nothing can be reached by.

    Args:
        host: as in `nowhere`.
        given: as it was typed, for the error.
    Raises: `settings/nowhere`.
    """
    detail = nowhere(host)
    if detail:
        raise error("settings/nowhere", value=given, detail=detail)


def check_url(url: str) -> None:
    """As `check_host`, of the host in an address of a service."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return  # whoever reads addresses says what is wrong with it
    check_host(host.replace("%25", "%"), url)
