"""Bounds on anonymous requests: which networks are answered, how many new machines a source brings.

Decides by address alone. Refuses to know who a machine is: there are no accounts. Obeys
docs/spec/06-counting.md, section 6.6. Addresses are the kernel's word, never a header's.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Sequence

from muster.core.errors import MusterError, error
from muster.host.model import Network

HOUR = 3600.0
SOURCES = 4096
"""Sources that the limiter remembers; the least recently used one is forgotten."""
_PREFIX6 = 64


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def plain_address(text: str) -> str:
    """An address in its one form; an IPv4 one that came over an IPv6 socket as IPv4."""
    found = _address(text)
    return text[:64] if found is None else str(found)


def network_refused(text: str, allowed: Sequence[Network]) -> MusterError | None:
    """`host/network-not-allowed` when networks are set and the address is in none of them."""
    if not allowed:
        return None
    found = _address(text)
    if found is not None and any(found in network for network in allowed):
        return None
    return error("host/network-not-allowed")


class NewMachines:
    """Bounds how many machines that the host never saw one source may bring in an hour.

    A source is an IPv4 address or an IPv6 network of 64 bits. Each has a bucket that holds an
    hour's worth and fills evenly. Kept in memory: after a restart the buckets are full.
    """

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, rate: int, monotonic: float) -> MusterError | None:
        """Count one new machine of a source, or refuse it with `host/new-machines`.

        Args:
            rate: new machines an hour; 0 sets no bound.
            monotonic: seconds of a clock that never jumps.
        """
        if rate <= 0:
            return None
        source = self._source(address)
        level, since = self._buckets.pop(source, (float(rate), monotonic))
        level = min(float(rate), level + max(0.0, monotonic - since) * rate / HOUR)
        allowed = level >= 1.0
        self._buckets[source] = (level - 1.0 if allowed else level, monotonic)
        while len(self._buckets) > SOURCES:
            self._buckets.popitem(last=False)
        if allowed:
            return None
        return error("host/new-machines", retry_after=max(1, int((1.0 - level) * HOUR / rate) + 1))

    @staticmethod
    def _source(address: str) -> str:
        found = _address(address)
        if isinstance(found, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((found, _PREFIX6), strict=False))
        return str(found) if found is not None else address[:64]
