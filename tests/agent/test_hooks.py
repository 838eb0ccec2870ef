"""Where nobody manages the agent, nobody is told; what systemd is told by keeps the protocol."""

from __future__ import annotations

from muster.agent.hooks import Hooks, NoHooks
from muster.system.service_manager import ServiceManager


def test_both_can_be_told_everything() -> None:
    managers: tuple[Hooks, ...] = (NoHooks(), ServiceManager({}))
    for manager in managers:
        manager.ready("answers")
        manager.alive()
        manager.reloading()
        manager.stopping()
        assert manager.watchdog_seconds == 0
