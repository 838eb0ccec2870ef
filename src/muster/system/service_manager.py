"""What a service and the manager that started it tell each other: systemd's two protocols.

Decides what is said and when: that a server answers, that it reads its settings again, that it
stops, and that it is alive. Decides too which sockets were handed over, open already, so that a
restart refuses no connection. Both are told by variables of the environment, which are taken out of
it, because they are not meant for child processes. Where no manager is there, all of it does
nothing. Refuses to know what is served.

Source: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, MutableMapping

from muster.core.catalogue import error

NOTIFY, SOCKETS, WATCHDOG = "NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC"
_SOCKETS_PID, _SOCKET_NAMES, _WATCHDOG_PID = "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID"
_FIRST = 3
"""The first descriptor that is handed over, SD_LISTEN_FDS_START."""
_MOST = 64
"""Sockets that anybody hands over at once."""
_SECONDS = 1.0
"""How long a word waits for room in the manager's queue."""
_log = logging.getLogger("muster.service")


class ServiceManager:
    """The service manager of this process, if it has one.

    ```
    manager = ServiceManager()
    handed = manager.sockets("machines") or [bind(address, port)]
    manager.ready("answers at 0.0.0.0:16880")
    ```
    Args:
        environ: the environment; the process's own by default. What is read is taken out.
        pid: the id of this process; variables meant for another one are passed over.
        monotonic: microseconds of CLOCK_MONOTONIC, which the manager compares with its own.
        first: the first descriptor handed over.
    Raises: `net/handed-socket` for a descriptor that is no listening stream socket.
    """

    def __init__(
        self,
        environ: MutableMapping[str, str] | None = None,
        *,
        pid: int | None = None,
        monotonic: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
        first: int = _FIRST,
    ) -> None:
        env = os.environ if environ is None else environ
        own = os.getpid() if pid is None else pid
        self._monotonic = monotonic
        self._address = env.pop(NOTIFY, "")
        self.watchdog_seconds = _watchdog(env, own)
        """How long the manager waits for the next word that this process is alive; 0: it does
        not."""
        self._sockets = _handed_over(env, own, first)

    @property
    def is_there(self) -> bool:
        """Whether somebody listens to what is said here."""
        return bool(self._address)

    def sockets(self, name: str) -> list[socket.socket]:
        """The listening sockets that were handed over by this name (`FileDescriptorName=`), in
        their order. Who asks owns them; the next one gets none."""
        asked = [sock for given, sock in self._sockets if given == name]
        self._sockets = [(given, sock) for given, sock in self._sockets if given != name]
        return asked

    def close_others(self) -> None:
        """Close the sockets that nobody asked for, and name them in the log."""
        while self._sockets:
            name, sock = self._sockets.pop()
            _log.warning("the socket %s was handed over and is not used", ascii(name))
            sock.close()

    def ready(self, status: str) -> None:
        """It answers from now on, for the first time or again after `reloading`."""
        self._say("READY=1", f"STATUS={_line(status)}")

    def reloading(self) -> None:
        """It reads its settings again; `ready` ends that."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={self._monotonic()}")

    def stopping(self) -> None:
        """It takes no new connection and will end."""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """It is alive; to be said at least every `watchdog_seconds`."""
        self._say("WATCHDOG=1")

    def _say(self, *lines: str) -> None:
        if not self._address or sys.platform == "win32":
            return
        # An address that begins with @ is one of Linux's abstract namespace.
        address = f"\0{self._address[1:]}" if self._address[0] == "@" else self._address
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.settimeout(_SECONDS)
            # Connected, so that it waits where the manager's queue is full: no word is lost.
            sock.connect(address)
            sock.sendall("\n".join(lines).encode())


def _line(text: str) -> str:
    return " ".join(text.split())[:200]


def _watchdog(env: MutableMapping[str, str], pid: int) -> float:
    wanted, whose = env.pop(WATCHDOG, ""), env.pop(_WATCHDOG_PID, "")
    if whose and _number(whose) != pid:
        return 0.0
    return (_number(wanted) or 0) / 1e6


def _handed_over(
    env: MutableMapping[str, str], pid: int, first: int
) -> list[tuple[str, socket.socket]]:
    count, whose = _number(env.pop(SOCKETS, "")), _number(env.pop(_SOCKETS_PID, ""))
    names = env.pop(_SOCKET_NAMES, "").split(":")
    if not count or whose != pid or sys.platform == "win32":
        return []
    count = min(count, _MOST)
    names += [""] * count
    return [(names[place], _listening(first + place, names[place])) for place in range(count)]


def _listening(number: int, name: str) -> socket.socket:
    """The listening socket of a descriptor. Raises: `net/handed-socket`."""
    try:
        os.set_inheritable(number, False)
        sock = socket.socket(fileno=number)
    except OSError as fault:
        raise error("net/handed-socket", name=name, detail="it is no socket") from fault
    if sock.type != socket.SOCK_STREAM or not sock.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    ):
        sock.detach()
        raise error("net/handed-socket", name=name, detail="it does not listen for streams")
    return sock


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
