"""Bounds on anonymous requests: which networks are answered, how many new machines a source brings.

Decides by address alone. Refuses to know who a machine is: there are no accounts. Obeys
docs/spec/06-counting.md, section 6.6. Whose address it is, `muster.net.peers` says.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.net.peers import Network, address_of, source_key

HOUR = 3600.0
SOURCES = 4096
"""Sources that the limiter remembers; the least recently used one is forgotten."""


def network_refused(text: str, allowed: Sequence[Network]) -> MusterError | None:
    """`host/network-not-allowed` when networks are set and the address is in none of them."""
    if not allowed:
        return None
    address = address_of(text)
    if address is not None and any(address in network for network in allowed):
        return None
    return error("host/network-not-allowed")


class NewMachines:
    """Bounds how many machines that the host never saw one source may bring in an hour.

    A source is an IPv4 address or an IPv6 network of 64 bits. Each has a bucket that holds an
    hour's worth and fills evenly. Kept in memory: after a restart the buckets are full.
    """

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._taken: list[str] = []

    def keep(self) -> None:
        """What was taken is durable."""
        self._taken.clear()

    def undo(self) -> None:
        """Give back what was taken since `keep`: those machines were not counted."""
        for source in self._taken:
            if source in self._buckets:
                level, since = self._buckets[source]
                self._buckets[source] = (level + 1.0, since)
        self._taken.clear()

    def take(self, address: str, rate: int, monotonic: float) -> MusterError | None:
        """Count one new machine of a source, or refuse it with `host/new-machines`.

        Args:
            rate: new machines an hour; 0 sets no bound.
            monotonic: seconds of a clock that never jumps.
        """
        if rate <= 0:
            return None
        source = source_key(address)
        level, since = self._buckets.pop(source, (float(rate), monotonic))
        level = min(float(rate), level + max(0.0, monotonic - since) * rate / HOUR)
        allowed = level >= 1.0
        self._buckets[source] = (level - 1.0 if allowed else level, monotonic)
        while len(self._buckets) > SOURCES:
            self._buckets.popitem(last=False)
        if allowed:
            self._taken.append(source)
            return None
        return error("host/new-machines", retry_after=max(1, int((1.0 - level) * HOUR / rate) + 1))
