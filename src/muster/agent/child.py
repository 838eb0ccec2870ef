"""Processes of a keeper: a task, which is heard and ends, and the responder, which answers.

Decides how they and the keeper speak: a task writes one JSON object to a pipe and ends; a responder
has a line of messages. The keeper must have one thread [a fork copies only the thread that forks].
Refuses to know what a task does.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from muster.core.catalogue import error
from muster.core.errors import MusterError

OUTCOME_LIMIT = 8 * 1024 * 1024
"""Bytes of an outcome."""
STOP_SECONDS = 8.0
"""For what a responder still answers when the keeper stops."""
_LINE_BYTES = 64 * 1024
_log = logging.getLogger("muster.agent")

Outcome = Mapping[str, Any]
"""What a task told: `error` where it failed, else members of its own."""


def fork(work: Callable[[], None], closing: Iterable[int]) -> int:
    """Run `work` in a child process and end that; the process id, in the parent.

    Args:
        closing: descriptors of the parent that the child must not hold.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 3
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL if number != signal.SIGHUP else signal.SIG_IGN)
        for handle in closing:
            with contextlib.suppress(OSError):
                os.close(handle)
        work()
        code = 0
    except Exception:  # noqa: BLE001 - a defect ends this process, and is told in the log
        _log.exception("a defect in a process of the agent")
    finally:
        logging.shutdown()
        os._exit(code)


class Task:
    """A task that runs.

    Args:
        work: makes the outcome; a `MusterError` becomes its `error`.
        seconds: its time, as the keeper's clock counts from `started`.
        closing: as `fork`.
    """

    def __init__(
        self, work: Callable[[], Outcome], started: float, seconds: float, closing: Iterable[int]
    ) -> None:
        self._handle, writing = os.pipe()
        os.set_blocking(self._handle, False)
        self.seconds = seconds
        self.end = started + seconds
        self._data = bytearray()
        self._late = False

        def run() -> None:
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(_told(work))

        self.pid = fork(run, [*closing, self._handle])
        os.close(writing)

    def fileno(self) -> int:
        """The descriptor that can be read when the task says something, or has ended."""
        return self._handle

    def hear(self) -> Outcome | None:
        """Read what it said; its outcome once it has ended, else None."""
        while len(self._data) <= OUTCOME_LIMIT:
            try:
                piece = os.read(self._handle, 1 << 20)
            except BlockingIOError:
                return None
            if not piece:
                break
            self._data += piece
        return self._ended()

    def stop(self) -> None:
        """Kill it: its time is over, or the keeper stops. `hear` then gives its outcome."""
        self._late = True
        self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def _ended(self) -> Outcome:
        os.close(self._handle)
        much = len(self._data) > OUTCOME_LIMIT
        if much:
            self._kill()
        _, status = os.waitpid(self.pid, 0)
        if self._late:
            return failed(error("agent/late", seconds=f"{self.seconds:g}"))
        with contextlib.suppress(ValueError):
            outcome = None if much else json.loads(self._data)
            if status == 0 and isinstance(outcome, dict):
                return outcome
        return failed(error("agent/failed"))


class Responder:
    """The process that answers connections, as the keeper sees it (`muster.agent.responder`)."""

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid = pid
        self.closed = False
        self.unsent = bytearray()
        self._line = line
        self._heard = bytearray()

    @classmethod
    def start(
        cls,
        work: Callable[[tuple[socket.socket, socket.socket], socket.socket], None],
        sockets: tuple[socket.socket, socket.socket],
        closing: list[int],
    ) -> Responder | None:
        """Fork it; None where there is no process to be had, which is tried again."""
        own, its = socket.socketpair()
        try:
            pid = fork(lambda: work(sockets, its), [*closing, own.fileno()])
        except OSError as fault:
            _log.error("a responder could not be started: %s", fault.strerror or fault)
            own.close()
            its.close()
            time.sleep(0.2)  # else the sockets that can be read keep the keeper busy
            return None
        its.close()
        own.setblocking(False)
        return cls(pid, own)

    def fileno(self) -> int:
        """The descriptor of the line."""
        return self._line.fileno()

    def hear(self) -> list[Mapping[str, Any]]:
        """What it said, whole lines."""
        try:
            piece = self._line.recv(_LINE_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            piece = b""
        self.closed = not piece
        self._heard += piece
        *lines, rest = bytes(self._heard).split(b"\n")
        self._heard[:] = rest
        return [json.loads(line) for line in lines]

    def tell(self, message: Mapping[str, Any]) -> None:
        """Say something to it; it is sent as far as it reads."""
        self.unsent += json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"
        self.flush()

    def flush(self) -> None:
        """Send what is left."""
        try:
            while self.unsent:
                del self.unsent[: self._line.send(self.unsent)]
        except BlockingIOError:
            return
        except OSError:
            self.unsent.clear()

    def end(self, monotonic: Callable[[], float]) -> None:
        """Let it finish what it answers, and end it."""
        self._line.setblocking(True)
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)
        self._line.settimeout(STOP_SECONDS)
        end = monotonic() + STOP_SECONDS
        with contextlib.suppress(OSError):
            while monotonic() < end and self._line.recv(_LINE_BYTES):
                pass
        self.wait()

    def wait(self) -> None:
        """Take note of its end; it is killed where it has none."""
        self._line.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def failed(fault: MusterError) -> Outcome:
    """The outcome of a task that failed."""
    from muster.core.records import encode, error_record

    return {"error": encode(error_record(fault))}


def _told(work: Callable[[], Outcome]) -> bytes:
    try:
        outcome = work()
    except MusterError as fault:
        outcome = failed(fault)
    return json.dumps(outcome, separators=(",", ":")).encode("ascii")
