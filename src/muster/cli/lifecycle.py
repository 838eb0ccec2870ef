"""A server of a command, as its service manager sees it: ready, reloading, stopping, alive."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from muster.core.errors import MusterError
from muster.net.certificate import Certificate
from muster.net.peers import networks
from muster.net.serve import Lifecycle, Listener
from muster.net.serving import ASGI
from muster.system.service_manager import ServiceManager

_WORDS_A_SPAN = 3
"""How often a server says that it is alive, in the time after which it is taken for dead."""
_log = logging.getLogger("muster.service")


class Chosen(Protocol):
    """Settings of a server, whatever they were gathered from."""

    def integer(self, name: str) -> int:
        """The value of a setting that is a whole number."""
        ...

    def texts(self, name: str) -> tuple[str, ...]:
        """The value of a setting that is several texts."""
        ...


def listeners(
    app: ASGI,
    socks: Sequence[socket.socket],
    certificate: Certificate | None,
    chosen: Chosen,
    *,
    handed: bool,
) -> list[Listener]:
    """An application at its sockets, bounded as is set; `handed` tells that they are the service
    manager's too."""
    per_source = chosen.integer("connections_per_source")
    shared = networks(chosen.texts("trusted_proxies"))
    return [
        Listener(app, sock, certificate, per_source=per_source, shared=shared, handed_over=handed)
        for sock in socks
    ]


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
