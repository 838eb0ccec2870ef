"""Who asks a server: the kernel's word, or that of a proxy which the administrator trusts.

Decides from which address a request came and for whom it is counted where something is bounded by
source. The one place that reads X-Forwarded-For and Forwarded (RFC 7239); everything that goes by
a source asks here. Headers of other peers are a stranger's words and are not read. Pure. Obeys
docs/spec/08-http.md, section 8.14.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence

from muster.core import grammar
from muster.core.values import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PREFIX6 = 64
"""One customer has all addresses of such a network."""
_STEPS = 32
"""Proxies that one request may have come through."""
_FOR = re.compile(r'\s*for\s*=\s*(?:"([^"\\]{0,64})"|([^";]{0,64}))\s*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request came from.

    `address` is an IP address in its one form, or what the kernel said where that is none.
    `shared`: any number of people may stand behind it (this machine itself, or a proxy that
    does not say for whom it asks), so that nothing is bounded by it.
    """

    address: str
    shared: bool = False

    @property
    def key(self) -> str:
        """For whom it counts: the address, or of IPv6 its network of 64 bits."""
        return source_key(self.address)


def address_of(text: str) -> _Address | None:
    """An address; an IPv4 one that came over an IPv6 socket as IPv4. None for anything else."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def plain_address(text: str) -> str:
    """An address in its one form; of what is none the first 64 characters."""
    address = address_of(text)
    return text[:64] if address is None else str(address)


def source_key(text: str) -> str:
    """Whom an address counts for: itself, or of IPv6 its network of 64 bits [one customer has
    them all]."""
    address = address_of(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _PREFIX6), strict=False))
    return text[:64] if address is None else str(address)


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks of a setting of type NETWORK, which has judged their form."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def source_of(peer: str, headers: Mapping[str, str], trusted: Sequence[Network]) -> Source:
    """Where a request came from.

    Args:
        peer: the address that the kernel names.
        headers: of the request, by lower-case name, repeated ones joined by ", ".
        trusted: the proxies that are believed.
    Returns:
        The rightmost address of the header that is not a trusted proxy's, of nothing but proxies
        the leftmost. The peer, where it is not trusted, sends no such header, or one that cannot
        be read as far as that address.
    """
    kernel = address_of(peer)
    plain = plain_address(peer)
    if kernel is None:
        return Source(plain)
    if not _among(kernel, trusted):
        return Source(plain, shared=kernel.is_loopback)
    if "x-forwarded-for" in headers:
        steps = _forwarded_for(headers["x-forwarded-for"])
    elif "forwarded" in headers:
        steps = _forwarded(headers["forwarded"])
    else:
        return Source(plain, shared=True)
    last: _Address | None = None
    for count, step in enumerate(steps):
        if step is None or count == _STEPS:
            return Source(plain)
        last = step
        if not _among(step, trusted):
            break
    return Source(plain if last is None else str(last))


def _among(address: _Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _forwarded_for(text: str) -> Iterator[_Address | None]:
    """The addresses of X-Forwarded-For, the last one first; None for what is none."""
    for part in reversed(text.split(",")):
        yield _node(part.strip(" \t"))


def _forwarded(text: str) -> Iterator[_Address | None]:
    """The addresses of Forwarded, the last one first; None for an element without one."""
    for element in reversed(_split(text, ",")):
        matches = [match for part in _split(element, ";") if (match := _FOR.fullmatch(part))]
        yield _node((matches[0][1] or matches[0][2] or "").strip()) if len(matches) == 1 else None


def _split(text: str, mark: str) -> list[str]:
    """The parts between marks that are outside quotes."""
    parts, start, quoted, escaped = [], 0, False, False
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == mark and not quoted:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _node(text: str) -> _Address | None:
    """`IPv4`, `IPv4:port`, `IPv6`, `[IPv6]` or `[IPv6]:port`."""
    match = grammar.FORWARDED_NODE.fullmatch(text)
    return address_of(text if match is None else match[1] or match[2]) if len(text) <= 64 else None
