"""Who is connected to a server, and who must go when there are too many or they hold too much.

Decides by three bounds: connections in all, connections of one source, and bytes that the server
holds for all of them (requests that are not whole, requests under way, answers that nobody
reads). Nobody is refused while somebody can be displaced: in number the one that has kept the
server waiting for longest goes, whatever it waits for (a request, the rest of a head or a body, a
peer that reads) [a stranger who opens connections cuts off himself; an honest machine asks at
once and is the newest]; in bytes one of those that hold most goes [whoever holds little is never
cut for memory]. It refuses to know sockets and times.
"""

from __future__ import annotations

import ipaddress
from typing import Protocol

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CONNECTIONS = 4000
"""Connections of one listener at once."""
PER_SOURCE = 500
"""Connections of one source at once; 0 sets no bound."""
HELD_BYTES = 24 * 1024 * 1024
"""Bytes of requests and answers that a listener holds at once."""


class Guest(Protocol):
    """A connection, as the crowd sees it."""

    def displace(self) -> None:
        """End at once; `Crowd.leave` is called before this returns."""


class Crowd:
    """The connections of one listener.

    Args:
        most: connections at once.
        per_source: connections of one source at once; 0 sets no bound.
        held: bytes held at once.
    """

    def __init__(
        self, most: int = CONNECTIONS, per_source: int = PER_SOURCE, held: int = HELD_BYTES
    ) -> None:
        self.most = most
        self._per_source = per_source
        self._held = held
        self.total_held = 0
        self._sources: dict[Guest, str] = {}
        self._counts: dict[str, int] = {}
        # In the order in which they began to wait.
        self._waiting: dict[Guest, None] = {}
        self._waiting_of: dict[str, dict[Guest, None]] = {}
        self._loose: dict[Guest, int] = {}
        self._kept: dict[Guest, int] = {}
        # By the number of bits of what they hold loosely.
        self._sizes: tuple[dict[Guest, None], ...] = tuple({} for _ in range(64))

    def __len__(self) -> int:
        return len(self._sources)

    def guests(self) -> list[Guest]:
        """Who is here now."""
        return list(self._sources)

    def enter(self, guest: Guest, source: str) -> bool:
        """Let one more in, who waits from now on; False where everybody who counts is at work."""
        most = self._per_source if source else 0
        if (
            most
            and self._counts.get(source, 0) >= most
            and not self._displace(self._waiting_of.get(source, {}))
        ):
            return False
        if len(self._sources) >= self.most and not self._displace(self._waiting):
            return False
        self._sources[guest] = source
        self._counts[source] = self._counts.get(source, 0) + 1
        self.wait(guest)
        return True

    def leave(self, guest: Guest) -> None:
        """Forget a guest and what it holds. Idempotent."""
        source = self._sources.pop(guest, None)
        if source is None:
            return
        self._stop_waiting(guest, source)
        self._counts[source] -= 1
        if not self._counts[source]:
            del self._counts[source]
        self._set(guest, 0, 0)

    def wait(self, guest: Guest) -> None:
        """The server waits for this guest's peer from now on."""
        source = self._sources.get(guest)
        if source is not None:
            self._stop_waiting(guest, source)
            self._waiting[guest] = None
            self._waiting_of.setdefault(source, {})[guest] = None

    def work(self, guest: Guest) -> None:
        """The guest waits for the server: it is not displaced to make room."""
        source = self._sources.get(guest)
        if source is not None:
            self._stop_waiting(guest, source)

    def hold(self, guest: Guest, loose: int, kept: int = 0) -> None:
        """What is held for a guest now.

        Too much in all displaces guests, this one perhaps, until there is room.

        Args:
            guest: whose bytes.
            loose: bytes that are lost when the guest is displaced for them.
            kept: bytes of a whole request that is under way; nobody is displaced for those.
        """
        if guest not in self._sources:
            return
        self._set(guest, loose, kept)
        while self.total_held > self._held:
            biggest = next((size for size in reversed(self._sizes) if size), None)
            if biggest is None:
                return
            next(iter(biggest)).displace()

    def oldest(self) -> bool:
        """Displace whoever has been waited for longest; whether there was one."""
        return self._displace(self._waiting)

    def _displace(self, among: dict[Guest, None]) -> bool:
        for guest in among:
            guest.displace()
            return True
        return False

    def _stop_waiting(self, guest: Guest, source: str) -> None:
        if guest in self._waiting:
            del self._waiting[guest]
            of_source = self._waiting_of[source]
            del of_source[guest]
            if not of_source:
                del self._waiting_of[source]

    def _set(self, guest: Guest, loose: int, kept: int) -> None:
        before = self._loose.pop(guest, 0)
        self.total_held += loose + kept - before - self._kept.pop(guest, 0)
        if loose.bit_length() != before.bit_length():
            self._sizes[before.bit_length()].pop(guest, None)
            if loose:
                self._sizes[loose.bit_length()][guest] = None
        if loose:
            self._loose[guest] = loose
        if kept:
            self._kept[guest] = kept
