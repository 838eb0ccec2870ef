"""What a client knows of its machine's agent: where it is, whether it runs, and asking its socket.

Decides whom a program believes: a socket at the one place, which root opened. Refuses to know what
the answers mean. Asks within bounds of bytes and time. Obeys docs/spec/14-agent.md.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from muster.client.agent_state import AgentProduct, AgentRun, AgentStatus
from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.records import ErrorRecord
from muster.core.states import LicenceState
from muster.core.values import dataclass
from muster.lease import strict
from muster.lease.claims import Claims
from muster.system.unixsocket import connect
from muster.wire import agent as wire
from muster.wire.peer import Peer
from muster.wire.problem import decode_problem
from muster.wire.routes import Route

FOLDER, SOCKET_FILE, STATE_FILE, ROOT_SOCKET_FILE = "agent", "agent.sock", "state.json", "root.sock"
ANSWER_SECONDS = 90.0
"""An activation asks hosts, or waits for one that does."""
LOOK_SECONDS = 5.0
_STATE = strict.Limits(bytes=1024 * 1024, levels=8, members=65_536, items=4_096)
_ANSWER = strict.Limits(bytes=wire.ANSWER_LIMIT, levels=10, members=1_048_576, items=65_536)


def runtime_folder() -> Path:
    """The folder of agents where none is named: the platform's, whatever the environment says."""
    from muster.system.paths import places

    return places(environ={}, home=Path("/")).runtime


def run_folder(store: Path) -> Path:
    """The runtime folder of the agent that keeps a store: the platform's for the system's store,
    else one in the store itself, so that two agents of one machine never meet."""
    from muster.system.paths import places

    system = places(environ={}, home=Path("/"))
    own = store.absolute() == system.system_store
    return system.runtime if own else store.absolute() / "run"


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where an agent is; `run` is its runtime folder."""

    run: Path

    @property
    def folder(self) -> Path:
        """What containers mount."""
        return self.run / FOLDER

    @property
    def everybody(self) -> Path:
        """The socket for everybody."""
        return self.folder / SOCKET_FILE

    @property
    def root(self) -> Path:
        """The socket for root."""
        return self.run / ROOT_SOCKET_FILE

    @property
    def state(self) -> Path:
        """What the agent last did."""
        return self.folder / STATE_FILE


def status(run: Path | None = None, *, store: Path | None = None) -> AgentStatus | None:
    """What the agent of this machine last did and whether it runs; None where there never was one.

    Args:
        run: its runtime folder, None for that of the store, or the platform's.
        store: the root of stores that it must keep, None for any.
    Asks nobody: it reads the agent's state file. Raises nothing.
    """
    from muster.system.files import read_bounded

    if run is None:
        run = runtime_folder() if store is None else run_folder(store)
    path = Sockets(run).state
    try:
        found = read_status(read_bounded(path, _STATE.bytes))
    except MusterError:
        return None
    return found if store is None or found.store == str(store.absolute()) else None


def read_status(data: bytes) -> AgentStatus:
    """The state file of an agent. Raises: `wire/bad-request`."""
    try:
        claims = Claims(strict.read(data, _STATE, "state"), "state", "wire/bad-request")
    except MusterError as fault:
        detail = str(fault.params.get("detail", fault.what))
        raise error("wire/bad-request", detail=detail) from None
    pid, started = claims.integer("pid", 1), claims.integer("started")
    return AgentStatus(
        running=start_of(pid) == started,
        version=claims.text("version", grammar.CLIENT_TEXT),
        pid=pid,
        started=started,
        since=claims.integer("since"),
        store=claims.text("store", grammar.PROSE),
        socket=claims.text("socket", grammar.PROSE),
        root_socket=claims.text("root_socket", grammar.PROSE),
        next_attempt=claims.integer("next_attempt") if claims.given("next_attempt") else None,
        last_run=_run(claims, "last_run"),
        last_try=_run(claims, "last_try"),
    )


def _run(claims: Claims, name: str) -> AgentRun | None:
    if not claims.given(name):
        return None
    run = claims.object(name)
    products = tuple(
        AgentProduct(
            product=product.text("product", grammar.NAME),
            publisher=product.text("publisher", grammar.PUBLISHER_ID),
            licensed=product.flag("licensed"),
            state=LicenceState(product.integer("state", 0, max(LicenceState))),
            next_attempt=product.integer("next_attempt") if product.given("next_attempt") else None,
        )
        for product in run.objects("products", 4_096)
    )
    fault = run.object("error") if run.given("error") else None
    return AgentRun(
        at=run.integer("at"),
        task=run.text("task", grammar.NAME),
        products=products,
        error=None if fault is None else _error(fault),
    )


def _error(claims: Claims) -> ErrorRecord:
    from muster.core.errors import Retry

    return ErrorRecord(
        code=claims.text("code", grammar.ERROR_CODE),
        field_code=claims.text("field_code", grammar.FIELD_CODE),
        what=claims.text("what", grammar.PROSE),
        why=claims.text("why", grammar.PROSE),
        fix=claims.text("fix", grammar.PROSE),
        retry=Retry(claims.text("retry", grammar.RETRY)),
        params=claims.raw("params"),
    )


def start_of(pid: int) -> int:
    """When a process was started, in ticks of the kernel since the boot; -1 where there is none."""
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
        return int(line.rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return -1


class Agent:
    """The agent of this machine, as a program asks it.

    Args:
        run: the runtime folder of the agent, None for the platform's.
    """

    def __init__(self, run: Path | None = None) -> None:
        self.sockets = Sockets(runtime_folder() if run is None else run)

    @property
    def is_there(self) -> bool:
        """Whether its socket is; somebody may answer there."""
        return hasattr(socket, "AF_UNIX") and self.sockets.everybody.is_socket()

    def ask(
        self,
        route: Route,
        path: str | None = None,
        body: bytes | None = None,
        seconds: float = LOOK_SECONDS,
        *,
        as_root: bool = False,
    ) -> Mapping[str, Any]:
        """Ask, and read the whole answer.

        Args:
            path: with its parameters, where the route has any.
            as_root: at the socket for root.
        Raises: `agent/silent`, `agent/stranger`, `wire/bad-answer`; what the agent refused.
        """
        place = self.sockets.root if as_root else self.sockets.everybody
        status, answer = _exchange(place, route.method, path or route.path, body, seconds)
        if status != 200:
            raise decode_problem(status, answer, str(place), Peer.AGENT).error()
        try:
            return strict.read(answer, _ANSWER, "answer")
        except MusterError as fault:
            detail = str(fault.params.get("detail", fault.what))
            raise error("wire/bad-answer", peer=str(place), detail=detail) from None


def _exchange(
    place: Path, method: str, path: str, body: bytes | None, seconds: float
) -> tuple[int, bytes]:
    end, payload = time.monotonic() + seconds, body or b""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    data = bytearray()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            connect(sock, os.fspath(place), end)
            _check_peer(sock, place)
            sock.sendall(head.encode("ascii") + payload)
            while len(data) <= wire.ANSWER_LIMIT + 65_536:
                sock.settimeout(max(0.001, end - time.monotonic()))
                piece = sock.recv(1 << 18)
                if not piece:
                    break
                data += piece
    except OSError as fault:
        raise error("agent/silent", socket=str(place), detail=fault.strerror or "late") from None
    top, mark, rest = bytes(data).partition(b"\r\n\r\n")
    first = top.split(b"\r\n", 1)[0].split(b" ")
    if not mark or len(first) < 2 or first[0] != b"HTTP/1.1" or not first[1].isdigit():
        raise error("wire/bad-answer", peer=str(place), detail="it is not HTTP")
    return int(first[1]), rest


def _check_peer(sock: socket.socket, place: Path) -> None:
    """Whether root opened the socket, or this user; or, in a user namespace, one beyond it."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", raw)
    if user in (0, os.geteuid()) or (user == _overflow() and _in_user_namespace()):
        return
    raise error("agent/stranger", socket=str(place), user=user)


def _overflow() -> int:
    try:
        return int(Path("/proc/sys/kernel/overflowuid").read_bytes())
    except (OSError, ValueError):
        return 65_534


def _in_user_namespace() -> bool:
    try:
        return Path("/proc/self/uid_map").read_bytes().split() != [b"0", b"0", b"4294967295"]
    except OSError:
        return False


def encode_wish(**members: object) -> bytes:
    """The body of a wish; members that are None are left out."""
    wished = {name: value for name, value in members.items() if value is not None}
    return json.dumps(wished, separators=(",", ":")).encode("ascii")
