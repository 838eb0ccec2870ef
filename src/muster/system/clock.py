"""The clock of this machine: the only module that reads it.

It decides nothing. No setting and no environment variable shifts it: a program whose clock
should differ is started under a clock that differs (libfaketime in the tests of whole processes).
"""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path

from muster.core.clock import Uptime

_UP: int | None = getattr(time, "CLOCK_BOOTTIME", None)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@functools.cache
def _boot() -> str:
    """The name of the start of this machine, or of this process where that has none."""
    try:
        name = _BOOT_ID.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        name = ""
    return name or f"process-{os.getpid()}-{time.monotonic_ns()}"


class SystemClock:
    """The wall clock and the monotonic clock; keeps the protocol
    `muster.core.clock.BootClock`."""

    def now(self) -> int:
        """Unix seconds, UTC."""
        return int(time.time())

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps; only differences mean something."""
        return time.monotonic()

    def uptime(self) -> Uptime:
        """Since the start of the machine, sleep included; a pause of a virtual machine is not."""
        return Uptime(_boot(), time.clock_gettime(_UP) if _UP is not None else time.monotonic())
