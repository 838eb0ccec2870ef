"""What the domain may ask of time and chance: two protocols, no implementation.

Decides nothing. Domain code takes `now: int` (Unix seconds, UTC); only services and drivers hold
a `Clock` or `Dice`. The real ones are `muster.system.clock` and `muster.system.entropy`, the ones
for tests `muster.testing`.
"""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """A wall clock and a clock that never goes back."""

    def now(self) -> int:
        """Unix seconds, UTC, whole; may jump in both directions."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back, not even when the wall clock does."""
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
