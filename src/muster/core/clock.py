"""What the domain may ask of time and chance: two protocols, no implementation.

Decides nothing. Domain code takes `now: int` (Unix seconds, UTC); only services and drivers hold
a `Clock` or `Dice`. The real ones are `muster.system.clock` and `muster.system.entropy`, the ones
for tests `muster.testing`.
"""

from __future__ import annotations

from typing import Protocol

from muster.core.values import dataclass


class Clock(Protocol):
    """A wall clock and a clock that never goes back."""

    def now(self) -> int:
        """Unix seconds, UTC, whole; may jump in both directions."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back, not even when the wall clock does."""
        ...


@dataclass(frozen=True, slots=True)
class Uptime:
    """How long a machine has been up: `seconds`, those included that it slept, since a start that
    `boot` names. Two of one `boot` differ by the time that has passed between them."""

    boot: str
    seconds: float


class BootClock(Clock, Protocol):
    """A clock that also knows how long its machine has been up, whoever sets the wall clock."""

    def uptime(self) -> Uptime:
        """Since the start of the machine; where that is not known, of this process."""
        ...


class Dice(Protocol):
    """Chance, for jitter, for draws and for secrets."""

    def random(self) -> float:
        """A number in [0, 1)."""
        ...

    def below(self, n: int) -> int:
        """A whole number in [0, n), each equally likely; `n` is at least 1."""
        ...

    def token(self, n: int) -> bytes:
        """`n` random bytes; from the real dice they are fit for secrets."""
        ...
