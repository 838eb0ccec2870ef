"""What a manager of services is told of the keeper, and nobody where there is none."""

from __future__ import annotations

from typing import Protocol


class Hooks(Protocol):
    """What a manager of services is told (`muster.system.service_manager`, or nobody).

    `watchdog_seconds` is how long it waits for the next word that this process is alive, 0 where it
    does not: only then is the keeper woken for nothing else.
    """

    watchdog_seconds: float

    def alive(self) -> None:
        """It is alive."""

    def ready(self, status: str) -> None:
        """The agent answers."""

    def reloading(self) -> None:
        """It reads its settings again; `ready` follows."""

    def stopping(self) -> None:
        """It has begun to stop."""


class NoHooks:
    """Nobody manages this process."""

    watchdog_seconds = 0.0

    def alive(self) -> None:
        """Say nothing."""

    def ready(self, status: str) -> None:
        """Say nothing."""

    def reloading(self) -> None:
        """Say nothing."""

    def stopping(self) -> None:
        """Say nothing."""
