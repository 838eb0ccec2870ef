"""Which process serves a store, and what it says of itself (docs/spec/09-files.md, section 9.7).

Decides that one process at a time serves a store: it holds a lock on a file there, which the kernel
frees however the process ends. While it serves, it answers questions at a socket in the store, to
the owner of the store and to root. Refuses to know what it is asked about, and to change anything
for whoever asks.

On Windows there is no such socket; who holds the lock is known there, and no more.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import selectors
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import instant_text
from muster.core.values import dataclass, field
from muster.system import files
from muster.system.unixsocket import connect

LOCK_FILE = "serve.lock"
SOCKET_FILE = "serve.sock"
VERSION = 1
QUESTION_LIMIT = 256
"""Bytes of a question."""
ANSWER_LIMIT = 1024 * 1024
"""Bytes of an answer."""
SECONDS = 3.0
"""How long a question and its answer may take together."""
PEERS = 8
"""Connections of one user; with one more the oldest is closed."""
BUSY = "busy"
_LOCK_SECONDS = 2.0
"""A look at the lock holds it for a moment: a server that starts then waits."""
_LEFT_SECONDS = 3600
"""Temporary files that nobody has written for so long were left by a program that was killed."""
_PATH_BYTES = 100
"""A socket's path has 108 bytes at most."""
_log = logging.getLogger("muster.control")
_Process = TypeVar("_Process")


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that serves a store: `since` when (Unix seconds), `listen` where, "" while it
    does not listen. A `pid` of 0 is not known."""

    pid: int
    since: int
    listen: str


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of the process that serves a store: `holder` None where there is none, and the
    members of its `answer`, None where it gave none. `busy` tells that others ask too much."""

    holder: Holder | None
    answer: Mapping[str, Any] | None = field(default=None)
    busy: bool = False


class ServerLock:
    """The one that a serving process holds, from before it listens until it has stopped.

    ```
    with ServerLock(folder, now) as lock:
        lock.listens("0.0.0.0:16880")
    ```
    Args:
        folder: the store; must exist.
        now: Unix seconds.
    Raises: `file/served` naming who holds it; the errors of opening a file.
    """

    def __init__(self, folder: str | os.PathLike[str], now: int) -> None:
        self._folder = Path(folder)
        self._now = now
        self._handle: int | None = None

    def __enter__(self) -> ServerLock:
        handle = files.open_lock(self._folder / LOCK_FILE)
        end = time.monotonic() + _LOCK_SECONDS
        try:
            while not files.try_lock(handle):
                if time.monotonic() >= end:
                    raise _served(self._folder, _read_holder(handle))
                time.sleep(0.02)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        self.listens("")
        # Commands write in the store beside us: what is young may be theirs.
        files.sweep(self._folder, before=self._now - _LEFT_SECONDS)
        return self

    def listens(self, place: str) -> None:
        """Write down who serves, and where: `address:port`, or "" for nowhere yet."""
        assert self._handle is not None
        told = {"v": VERSION, "pid": os.getpid(), "since": self._now, "listen": place}
        data = json.dumps(told, separators=(",", ":")).encode("ascii") + b"\n"
        # A full disk keeps nobody from serving: the lock holds all the same.
        with contextlib.suppress(OSError):
            os.ftruncate(self._handle, 0)
            os.lseek(self._handle, 0, os.SEEK_SET)
            os.write(self._handle, data)

    def __exit__(self, *_: object) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, 0)
            files.unlock(handle)
            os.close(handle)


def _served(folder: Path, holder: Holder) -> MusterError:
    return error("file/served", path=str(folder), holder=_text_of(holder))


def _text_of(holder: Holder) -> str:
    who = f"the process {holder.pid}" if holder.pid else "another process"
    where = f", which listens at {holder.listen}" if holder.listen else ""
    since = f" since {instant_text(holder.since)}" if holder.since else ""
    return f"{who}{where}{since}"


def _read_holder(handle: int) -> Holder:
    """Who wrote the lock file; not known while it is being written."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        told = json.loads(os.read(handle, 4096))
        return Holder(int(told["pid"]), int(told["since"]), str(told["listen"])[:128])
    except (OSError, ValueError, KeyError, TypeError):
        return Holder(0, 0, "")


def holder_of(folder: str | os.PathLike[str]) -> Holder | None:
    """Who holds the lock of a store, None where nobody serves it."""
    try:
        handle = os.open(Path(folder) / LOCK_FILE, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    try:
        if files.try_lock(handle, shared=True):
            files.unlock(handle)
            return None
        return _read_holder(handle)
    except OSError:
        return None
    finally:
        os.close(handle)


def check_not_served(folder: str | os.PathLike[str]) -> None:
    """Refuse what may not happen while a process serves the store. Raises: `file/served`."""
    holder = holder_of(folder)
    if holder is not None:
        raise _served(Path(folder), holder)


@contextlib.contextmanager
def not_served(folder: str | os.PathLike[str]) -> Iterator[None]:
    """While the block runs no other process serves the store, nor begins to: for an upgrade of its
    tables. Several may be in such blocks at a time.

    Raises: `db/served`.
    """
    try:
        handle = os.open(Path(folder) / LOCK_FILE, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:  # nobody has ever served it; or whoever may not read here may not write either
        yield
        return
    try:
        if not files.try_lock(handle, shared=True):
            holder = _read_holder(handle)
            if holder.pid != os.getpid():
                raise error("db/served", path=str(folder), holder=_text_of(holder))
        yield
    finally:
        os.close(handle)


class ControlSocket:
    """Answers questions at the socket of a store, in a thread of its own.

    Args:
        folder: the store, whose `ServerLock` this process holds.
        answer: the members of the answer to "status"; called in that thread, never waits long.
    """

    def __init__(
        self, folder: str | os.PathLike[str], answer: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._folder = Path(folder)
        self._answer = answer
        self._sock: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._wake, self._woken = socket.socketpair()

    def start(self) -> ControlSocket:
        """Listen. Where that cannot be, it is logged, and the server runs without."""
        if not hasattr(socket, "AF_UNIX"):
            return self
        try:
            self._sock = _listen(self._folder)
        except OSError as fault:
            _log.warning(
                "questions about this process are not answered at %s: %s",
                self._folder / SOCKET_FILE,
                fault.strerror or fault,
            )
            return self
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Remove the socket and end the thread. Idempotent."""
        self._wake.close()
        if self._thread is not None:
            self._thread.join(2 * SECONDS)
            self._thread = None
            with contextlib.suppress(OSError):
                (self._folder / SOCKET_FILE).unlink()
        self._woken.close()

    def __enter__(self) -> ControlSocket:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        assert self._sock is not None
        with self._sock as sock, selectors.DefaultSelector() as waiting:
            waiting.register(sock, selectors.EVENT_READ)
            waiting.register(self._woken, selectors.EVENT_READ)
            peers: list[_Peer] = []
            try:
                while not self._turn(sock, waiting, peers):
                    pass
            finally:
                for peer in peers:
                    peer.sock.close()

    def _turn(
        self, sock: socket.socket, waiting: selectors.BaseSelector, peers: list[_Peer]
    ) -> bool:
        """Wait for whatever comes first, and go on with it; whether it is time to stop."""
        ends = [peer.end for peer in peers]
        ready = waiting.select(max(0.0, min(ends) - time.monotonic()) if ends else None)
        for key, _ in ready:
            if key.fileobj is self._woken:
                return True
            if key.fileobj is sock:
                try:
                    self._accept(sock, waiting, peers)
                except BlockingIOError:
                    pass  # whoever it was went away
                except OSError:
                    time.sleep(0.05)  # short of descriptors: ask again
            elif key.data in peers and not self._goes_on(key.data, waiting):
                _leave(key.data, waiting, peers)
        now = time.monotonic()
        for peer in [peer for peer in peers if peer.end <= now]:
            _leave(peer, waiting, peers)
        return False

    def _accept(
        self, sock: socket.socket, waiting: selectors.BaseSelector, peers: list[_Peer]
    ) -> None:
        accepted, _ = sock.accept()
        try:
            accepted.setblocking(False)
            user = _user_of(accepted)
            if not _may_ask(user, self._folder):
                accepted.close()
                return
            peer = _Peer(accepted, user, time.monotonic() + SECONDS)
            # Whoever holds on to connections waits for himself, and keeps nobody else waiting.
            same = [other for other in peers if other.user == user]
            if len(same) >= PEERS:
                with contextlib.suppress(OSError):
                    same[0].sock.send(_encode({"v": VERSION, "error": BUSY}))
                _leave(same[0], waiting, peers)
            waiting.register(accepted, selectors.EVENT_READ, peer)
            peers.append(peer)
        except OSError:
            accepted.close()

    def _goes_on(self, peer: _Peer, waiting: selectors.BaseSelector) -> bool:
        """Read of a question, or write of an answer, what can be without waiting; whether there is
        more to come."""
        try:
            if not peer.answer:
                piece = peer.sock.recv(65536)
                peer.question += piece
                if not peer.question.endswith(b"\n"):
                    return bool(piece) and len(peer.question) <= QUESTION_LIMIT
                peer.answer = _encode(self._reply(peer.question))
                waiting.modify(peer.sock, selectors.EVENT_WRITE, peer)
            peer.answer = peer.answer[peer.sock.send(peer.answer) :]
            return bool(peer.answer)
        except BlockingIOError:
            return True
        except (OSError, ValueError, RecursionError):
            return False  # whoever asked went away, or spoke something else
        except Exception:  # noqa: BLE001 - a question must not end the thread that answers
            _log.exception("a defect in answering a question about this process")
            return False

    def _reply(self, question: bytes | bytearray) -> Mapping[str, Any]:
        asked = json.loads(question)
        if not isinstance(asked, dict) or asked.get("v") != VERSION or asked.get("ask") != "status":
            return {"v": VERSION, "error": "unknown question"}
        return {"v": VERSION, "pid": os.getpid(), **self._answer()}


class _Peer:
    """Somebody who asks: the user, until when (monotonic) he may, what he has said so far and what
    he is still to be told."""

    def __init__(self, sock: socket.socket, user: int, end: float) -> None:
        self.sock = sock
        self.user = user
        self.end = end
        self.question = bytearray()
        self.answer = b""


def _leave(peer: _Peer, waiting: selectors.BaseSelector, peers: list[_Peer]) -> None:
    waiting.unregister(peer.sock)
    peer.sock.close()
    peers.remove(peer)


def ask(folder: str | os.PathLike[str]) -> Told:
    """Ask the process that serves a store how it is; within `SECONDS`."""
    path = Path(folder)
    end = time.monotonic() + SECONDS
    answer, busy = None, False
    # No socket, nobody behind it, no right to it, or no answer in time.
    with contextlib.suppress(OSError, ValueError, RecursionError):
        while (answer := _tried(path, end)) is not None and answer.get("error") == BUSY:
            busy = True
            time.sleep(0.05)
    if answer is None or "error" in answer:
        return Told(holder_of(path), busy=busy)
    return Told(_holder_told(answer), answer)


def ask_process(
    folder: str | os.PathLike[str],
    read: Callable[[Mapping[str, Any]], _Process],
    silent: Callable[[Told, Holder], _Process],
) -> _Process | None:
    """The process that serves a store, as it says of itself; None where none does.

    Args:
        read: the record of an answer; raises TypeError, ValueError or KeyError for what is none.
        silent: the record of a process that does not answer.
    """
    told = ask(folder)
    if told.holder is None:
        return None
    # It may speak, but not as we do.
    with contextlib.suppress(TypeError, ValueError, KeyError):
        if told.answer is not None:
            return read(told.answer)
    return silent(told, told.holder)


def _holder_told(answer: Mapping[str, Any]) -> Holder:
    pid, since, place = answer.get("pid"), answer.get("since"), answer.get("listen")
    return Holder(
        pid if isinstance(pid, int) else 0,
        since if isinstance(since, int) else 0,
        place[:128] if isinstance(place, str) else "",
    )


def _tried(folder: Path, end: float) -> Mapping[str, Any] | None:
    """As `_ask`; a queue of connections that stays full is busy too."""
    try:
        return _ask(folder, end)
    except BlockingIOError:
        return {"error": BUSY}


def _ask(folder: Path, end: float) -> Mapping[str, Any] | None:
    if not hasattr(socket, "AF_UNIX") or end <= time.monotonic():
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock, _reached(folder) as path:
        connect(sock, path, end)
        sock.sendall(_encode({"v": VERSION, "ask": "status"}))
        answer = json.loads(_read_line(sock, ANSWER_LIMIT, end))
    return answer if isinstance(answer, dict) and answer.get("v") == VERSION else None


def _encode(message: Mapping[str, Any]) -> bytes:
    data = json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"
    if len(data) > ANSWER_LIMIT:
        raise ValueError("the answer is too long")
    return data


def _read_line(sock: socket.socket, limit: int, end: float) -> bytes:
    """One line of at most `limit` bytes, until the monotonic instant `end`."""
    data = bytearray()
    while not data.endswith(b"\n"):
        left = end - time.monotonic()
        if left <= 0 or len(data) > limit:
            raise ValueError("no line in time, or too long a line")
        sock.settimeout(left)
        piece = sock.recv(65536)
        if not piece:
            raise ValueError("the line has no end")
        data += piece
    return bytes(data)


def _listen(folder: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Before the name exists [the mode of the socket becomes that of the file].
        os.fchmod(sock.fileno(), 0o600)
        with _reached(folder) as path:
            # Nobody is behind it: this process holds the lock.
            with contextlib.suppress(FileNotFoundError):
                Path(path).unlink()
            sock.bind(path)
            if sys.platform != "linux":
                Path(path).chmod(0o600)
            files.give_to_owner(path, folder)
        sock.listen(16)
        # Whoever went away between the wait and the accept keeps nobody waiting.
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def _reached(folder: Path) -> Iterator[str]:
    """A path of the socket that is short enough for the kernel."""
    path = str(folder / SOCKET_FILE)
    if len(os.fsencode(path)) <= _PATH_BYTES:
        yield path
        return
    if sys.platform != "linux":
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}/{SOCKET_FILE}"
    finally:
        os.close(handle)


def _user_of(peer: socket.socket) -> int:
    """Who asks, by the word of the kernel; where it has none, the mode of the socket keeps others
    out."""
    if not hasattr(socket, "SO_PEERCRED"):
        return os.geteuid()
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", raw)
    return int(user)


def _may_ask(user: int, folder: Path) -> bool:
    """Whether it is root, this user or the owner of the store."""
    return user in (0, os.geteuid(), folder.stat().st_uid)
