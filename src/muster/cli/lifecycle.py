"""A server of a command, as its service manager sees it: ready, reloading, stopping, alive."""

from __future__ import annotations

import logging
from collections.abc import Callable

from muster.core.errors import MusterError
from muster.net.serve import Lifecycle
from muster.system.service_manager import ServiceManager

_WORDS_A_SPAN = 3
"""How often a server says that it is alive, in the time after which it is taken for dead."""
_log = logging.getLogger("muster.service")


def lifecycle(
    manager: ServiceManager, reload: Callable[[], tuple[str, ...]], status: Callable[[], str]
) -> Lifecycle:
    """What a server tells its manager.

    Args:
        manager: who started it; where nobody did, SIGHUP stops the server, as a closed terminal.
        reload: reads settings and keys again, and returns the settings that wait for a restart.
            What it raises leaves the server as it was and is told in the log.
        status: what the server does, in a line.
    """

    def again() -> None:
        manager.reloading()
        try:
            waiting = reload()
            _log.info("settings and keys were read again")
            if waiting:
                _log.warning("used only after a restart: %s", ", ".join(waiting))
        except MusterError as fault:
            _log.error("settings were not read again: %s Fix: %s", fault.what, fault.fix)
        finally:
            manager.ready(status())

    return Lifecycle(
        stopping=manager.stopping,
        alive=manager.alive,
        alive_seconds=manager.watchdog_seconds / _WORDS_A_SPAN,
        reload=again if manager.is_there else None,
    )
