"""A clock that a test moves by hand; keeps the protocol `muster.core.clock.BootClock`."""

from __future__ import annotations

from muster.core.clock import Uptime


class ManualClock:
    """Wall and monotonic time, both standing still until they are moved.

    `pass_time` moves both, as time does; `jump` moves the wall clock alone, as somebody who sets
    it does, and `reboot` starts the machine again. All in whole seconds.
    """

    def __init__(self, now: int, monotonic: float = 1000.0) -> None:
        self._now = now
        self._monotonic = monotonic
        self._boots = 1
        self._booted = 0.0

    def now(self) -> int:
        """Unix seconds, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        return self._monotonic

    def uptime(self) -> Uptime:
        """Since the last `reboot`."""
        return Uptime(f"boot-{self._boots}", self._monotonic - self._booted)

    def reboot(self) -> None:
        """Start the machine again."""
        self._boots += 1
        self._booted = self._monotonic

    def pass_time(self, seconds: int) -> None:
        """Let time pass; not backwards."""
        if seconds < 0:
            raise ValueError("time does not pass backwards")
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: int) -> None:
        """Set the wall clock ahead, or back with a negative number."""
        self._now += seconds

    def set(self, now: int) -> None:
        """Set the wall clock to an instant."""
        self._now = now
