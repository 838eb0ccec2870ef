"""Dice: the only module that has randomness.

`SystemDice` is for everything that runs; `SeededDice` repeats itself and is for tests and for
simulations. Secrets come from `SystemDice.token`, never from a seed.
"""

from __future__ import annotations

import random
import secrets


class SystemDice:
    """The operating system's generator; keeps the protocol `muster.core.clock.Dice`."""

    def __init__(self) -> None:
        self._source = secrets.SystemRandom()

    def random(self) -> float:
        """A number in [0, 1)."""
        return self._source.random()

    def below(self, n: int) -> int:
        """An integer in 0..n-1; `n` is at least 1."""
        return self._source.randrange(n)

    def token(self, n: int) -> bytes:
        """`n` bytes fit for keys."""
        return secrets.token_bytes(n)


class SeededDice:
    """Dice that fall alike for the same seed. Not for secrets."""

    def __init__(self, seed: int | str) -> None:
        self._source = random.Random(seed)  # noqa: S311 - repeatable on purpose, documented above

    def random(self) -> float:
        """A number in [0, 1)."""
        return self._source.random()

    def below(self, n: int) -> int:
        """An integer in 0..n-1; `n` is at least 1."""
        return self._source.randrange(n)

    def token(self, n: int) -> bytes:
        """`n` bytes, the same for the same seed and the same calls before."""
        return self._source.randbytes(n)
