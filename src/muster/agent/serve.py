"""Starts the keeper: its lock, its sockets, its log, and the children that it will have.

Decides where sockets are and what their rights are. What manages this process (`hooks`) may have
opened the sockets already.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from muster.agent.daemon import Keeper, Surroundings
from muster.agent.hooks import Hooks
from muster.client.agent_state import AgentServing
from muster.core.records import encode
from muster.core.values import dataclass
from muster.system import log
from muster.system.clock import SystemClock
from muster.system.control import ServerLock
from muster.system.entropy import SystemDice
from muster.system.files import make_folder
from muster.system.service_manager import ServiceManager

_FOLDER, _SOCKET, _STATE, _ROOT_SOCKET = "agent", "agent.sock", "state.json", "root.sock"
_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Options:
    """How an agent is started.

    `store` is the root of stores; `run` the runtime folder; `facts` the chosen facts file, or "";
    `writes_facts` the facts file that it writes, or ""; `json` tells its sockets as JSON.
    """

    store: str
    run: str
    facts: str = ""
    writes_facts: str = ""
    json: bool = False
    log_format: str = "text"
    log_level: str = "info"


@dataclass(frozen=True, slots=True)
class _Children:
    """What the children do, imported where they run."""

    options: Options

    def _place(self) -> Any:
        from muster.agent.tasks import Place

        chosen = self.options
        return Place(Path(chosen.store), _path(chosen.facts), _path(chosen.writes_facts))

    def plan(self) -> Mapping[str, Any]:
        from muster.agent import tasks

        return tasks.plan(self._place())

    def keep(self, names: list[str]) -> Mapping[str, Any]:
        from muster.agent import tasks

        return tasks.keep(self._place(), names)

    def wish(self, product: str | None) -> Mapping[str, Any]:
        from muster.agent import tasks

        return tasks.wish(self._place(), product)

    def responder(self, sockets: tuple[socket.socket, socket.socket], line: socket.socket) -> None:
        from muster.agent.api import AgentAPI
        from muster.agent.responder import run_responder
        from muster.client.agent import Sockets

        place, where = self._place(), Sockets(Path(self.options.run))
        run_responder(
            sockets,
            line,
            lambda keeper: AgentAPI(place.parts, where, keeper, time.monotonic),
            os.geteuid(),
        )


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def serve(
    options: Options,
    hooks: Hooks | None = None,
    handed: tuple[socket.socket, socket.socket] | None = None,
) -> None:
    """Be the agent until SIGTERM or SIGINT.

    Args:
        hooks: told when it answers, reads its settings again, and stops.
        handed: the sockets for everybody and for root, listening already; they stay when it ends.
    Raises: `file/served` where another agent has the folder; `file/…`.
    """
    log.configure(options.log_format, options.log_level)
    os.umask(0o022)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    run, clock = Path(options.run), SystemClock()
    folder = run / _FOLDER
    make_folder(run, 0o755)
    make_folder(folder, 0o755)
    places = str(folder / _SOCKET), str(run / _ROOT_SOCKET)
    with ServerLock(run, clock.now()) as lock:
        sockets = handed or (_listen(places[0], 0o666), _listen(places[1], 0o600))
        for sock in sockets:
            sock.setblocking(False)
        lock.listens(places[0])
        around = Surroundings(
            store=Path(options.store),
            state=folder / _STATE,
            everybody=sockets[0],
            for_root=sockets[1],
            places=places,
            uptime=_uptime(),
        )
        keeper = Keeper(around, _Children(options), clock, SystemDice(), hooks)
        try:
            keeper.run(lambda: _say(options, places))
        finally:
            for sock, place in zip(sockets, places, strict=True):
                sock.close()
                if handed is None:
                    with contextlib.suppress(OSError):
                        Path(place).unlink()


def serve_managed(options: Options) -> None:
    """Be the agent of a manager of services, if there is one.

    It may hand over listening sockets by the names `agent` and `root`. Raises: as `serve`;
    `net/handed-socket`.
    """
    manager = ServiceManager()
    everybody, for_root = manager.sockets("agent"), manager.sockets("root")
    manager.close_others()
    handed = (everybody[0], for_root[0]) if everybody and for_root else None
    serve(options, manager, handed)


def _listen(place: str, mode: int) -> socket.socket:
    """A listening socket; nobody is behind one that is there, for this process holds the lock."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(Path(place).lstat().st_mode):
            Path(place).unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(sock.fileno(), mode)  # before its name is there
        old = os.umask(0)
        try:
            sock.bind(place)
        finally:
            os.umask(old)
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _uptime() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(float(Path("/proc/uptime").read_text("ascii").split()[0]))
    return None


def _say(options: Options, places: tuple[str, str]) -> None:
    serving = AgentServing(os.getpid(), options.store, *places)
    told = json.dumps(encode(serving), sort_keys=True)
    line = told if options.json else f"The agent answers at {places[0]}."
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    logging.getLogger("muster.agent").info("the agent has started for the store %s", options.store)
