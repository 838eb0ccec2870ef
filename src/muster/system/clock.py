"""The clock of this machine: the only module that reads it.

It decides nothing. No setting and no environment variable shifts it: a program whose clock
should differ is started under a clock that differs (libfaketime in the tests of whole processes).
"""

from __future__ import annotations

import time


class SystemClock:
    """The wall clock and the monotonic clock; keeps the protocol `muster.core.clock.Clock`."""

    def now(self) -> int:
        """Unix seconds, UTC."""
        return int(time.time())

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps; only differences mean something."""
        return time.monotonic()
