"""How many lines strangers may cause: some at once, then some a minute, of each source and in all.

Decides which of the things that anybody can cause is written down one by one, and what is said of
the others. Everything is counted elsewhere; this bounds what is kept of it [whoever can make a
server write may fill what it writes to, until the rows that matter are gone]. Refuses to know
clocks: seconds of one that never goes back are passed in. Pure. Obeys docs/spec/06-counting.md,
section 6.11.
"""

from __future__ import annotations

from collections import OrderedDict

from muster.core.values import dataclass

MINUTE = 60.0
SOURCES = 4096
"""Sources that are remembered; the longest unheard is forgotten first."""
_NAMED = 64
"""Sources of what was held back that are told apart."""


@dataclass(frozen=True, slots=True)
class Pace:
    """So many at once, and so many more a minute."""

    at_once: int
    a_minute: float


@dataclass(frozen=True, slots=True)
class Held:
    """What was not written: how many, and of whom; `sources` tells `_NAMED` apart at most."""

    number: int
    sources: tuple[str, ...]

    @property
    def whose(self) -> str:
        """The one source, or how many there were."""
        if len(self.sources) == 1:
            return self.sources[0]
        more = " or more" if len(self.sources) == _NAMED else ""
        return f"{len(self.sources)}{more} sources"


class _Bucket:
    __slots__ = ("_at", "_left")

    def __init__(self, pace: Pace, now: float) -> None:
        self._left = float(pace.at_once)
        self._at = now

    def has(self, pace: Pace, now: float) -> bool:
        passed = max(0.0, now - self._at)
        self._left = min(float(pace.at_once), self._left + passed * pace.a_minute / MINUTE)
        self._at = max(now, self._at)
        return self._left >= 1.0

    def take(self) -> None:
        self._left -= 1.0

    def give_back(self) -> None:
        self._left += 1.0


class Trickle:
    """Lets a bounded number through. Not safe for several threads at once.

    Args:
        source: what one source may have written.
        total: what all together may.
    """

    def __init__(self, source: Pace, total: Pace) -> None:
        self._source = source
        self._total = total
        self._sources: OrderedDict[str, _Bucket] = OrderedDict()
        self._all: _Bucket | None = None
        self._number = 0
        self._named: dict[str, None] = {}
        self._held_since = 0.0
        self._taken: list[_Bucket] | None = None  # until `keep` is called, nobody undoes
        self._before = (0, dict[str, None](), 0.0)

    def keep(self) -> None:
        """What was let through and told is durable."""
        self._taken = []
        self._before = (self._number, dict(self._named), self._held_since)

    def undo(self) -> None:
        """Be as at the last `keep`: what was let through and told since then was not written."""
        for bucket in self._taken or ():
            bucket.give_back()
        self._taken = []
        self._number, named, self._held_since = self._before
        self._named = dict(named)

    def take(self, source: str, now: float) -> bool:
        """Whether the next one of a source is written; else it is held, and told later."""
        bucket = self._sources.get(source)
        if bucket is None:
            bucket = self._sources[source] = _Bucket(self._source, now)
            while len(self._sources) > SOURCES:
                self._sources.popitem(last=False)
        self._sources.move_to_end(source)
        if self._all is None:
            self._all = _Bucket(self._total, now)
        if bucket.has(self._source, now) and self._all.has(self._total, now):
            for taken in (bucket, self._all):
                taken.take()
                if self._taken is not None:
                    self._taken.append(taken)
            return True
        if not self._number:
            self._held_since = now
        self._number += 1
        if len(self._named) < _NAMED:
            self._named[source] = None
        return False

    def due(self, now: float) -> bool:
        """Whether something is held back since a minute or more."""
        return self._number > 0 and now - self._held_since >= MINUTE

    def held(self, now: float) -> Held | None:
        """What was held back since a minute or more, once; None where there is nothing to tell."""
        if not self.due(now):
            return None
        state = Held(self._number, tuple(self._named))
        self._number = 0
        self._named = {}
        return state
