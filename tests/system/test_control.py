"""Who serves a store, and what it answers at the socket there."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.core.errors import MusterError
from muster.system import control
from muster.system.control import ControlSocket, ServerLock

NOW = 1_800_000_000
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other users")


def refused(folder: Path) -> MusterError:
    with pytest.raises(MusterError) as caught:
        ServerLock(folder, NOW).__enter__()
    return caught.value


def test_one_process_serves_a_store_and_is_named(tmp_path: Path) -> None:
    assert control.holder_of(tmp_path) is None
    control.check_not_served(tmp_path)
    with ServerLock(tmp_path, NOW) as lock:
        lock.listens("0.0.0.0:16880")
        fault = refused(tmp_path)
        assert fault.code == "file/served"
        assert f"process {os.getpid()}, which listens at 0.0.0.0:16880 since 2027-" in fault.what
        with pytest.raises(MusterError) as caught:
            control.check_not_served(tmp_path)
        assert caught.value.what == fault.what
        assert control.holder_of(tmp_path) == control.Holder(os.getpid(), NOW, "0.0.0.0:16880")
    assert control.holder_of(tmp_path) is None
    assert (tmp_path / control.LOCK_FILE).read_bytes() == b""
    with ServerLock(tmp_path, NOW):
        pass


def test_what_a_killed_program_left_is_swept_at_the_next_start(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    left = [folder / f".it.{'0' * 16}.tmp" for folder in (tmp_path, keys)]
    young = keys / f".other.{'1' * 16}.tmp"
    for path in (*left, young, keys / "it"):
        path.write_bytes(b"")
        os.utime(path, (NOW - 3700, NOW - 3700))
    os.utime(young, (NOW - 3500, NOW - 3500))
    with ServerLock(tmp_path, NOW):
        assert sorted(keys.iterdir()) == [young, keys / "it"]
        assert not left[0].exists()


def test_a_holder_that_wrote_nothing_readable_is_refused_all_the_same(tmp_path: Path) -> None:
    with ServerLock(tmp_path, NOW):
        for text in (b"", b"{", b'{"pid":"x","since":1,"listen":""}', b"[]"):
            (tmp_path / control.LOCK_FILE).write_bytes(text)
            assert "by another process." in refused(tmp_path).what


HOLDS = """
import pathlib, signal, sys
from muster.system.control import ControlSocket, ServerLock
folder = pathlib.Path(sys.argv[1])
with ServerLock(folder, 1) as lock, ControlSocket(folder, lambda: {"since": 1, "listen": "x:1"}):
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_kill_frees_it(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    told = control.ask(tmp_path)
    assert told.holder == control.Holder(holder.pid, 1, "x:1")
    holder.kill()
    holder.wait()
    # What it left is not believed.
    assert (tmp_path / control.SOCKET_FILE).exists()
    assert control.ask(tmp_path) == control.Told(None)
    with ServerLock(tmp_path, NOW), ControlSocket(tmp_path, lambda: {"mine": True}):
        answer = control.ask(tmp_path).answer
        assert answer is not None
        assert answer["mine"]


def test_a_process_that_stands_still_is_told_as_such(
    tmp_path: Path, holder: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SECONDS", 0.3)
    holder.send_signal(signal.SIGSTOP)
    os.waitpid(holder.pid, os.WUNTRACED)
    told = control.ask(tmp_path)
    assert told.answer is None
    assert told.holder is not None
    assert told.holder.pid == holder.pid


def test_the_path_of_a_store_may_be_long(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    with ControlSocket(folder, lambda: {"listen": "x:2"}):
        told = control.ask(folder)
        assert told.holder == control.Holder(os.getpid(), 0, "x:2")
        assert stat.S_IMODE((folder / control.SOCKET_FILE).stat().st_mode) == 0o600
    assert not (folder / control.SOCKET_FILE).exists()


def test_only_the_question_is_answered(tmp_path: Path) -> None:
    def say(data: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / control.SOCKET_FILE))
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            with sock.makefile("rb") as answer:
                return answer.read()

    with ControlSocket(tmp_path, lambda: {"known": 1}):
        unknown = b'{"v":1,"error":"unknown question"}\n'
        assert say(b'{"v":2,"ask":"status"}\n') == unknown
        assert say(b'{"v":1,"ask":"stop"}\n') == unknown
        assert say(b"[]\n") == unknown
        for rubbish in (b"", b"{", b"\xff\n", b"x" * control.QUESTION_LIMIT * 2 + b"\n"):
            assert say(rubbish) == b""
        assert json.loads(say(b'{"v":1,"ask":"status"}\n'))["known"] == 1


def connected(folder: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(folder / control.SOCKET_FILE))
    return sock


def test_whoever_connects_and_says_nothing_keeps_nobody_waiting(tmp_path: Path) -> None:
    with (
        ServerLock(tmp_path, NOW),
        ControlSocket(tmp_path, lambda: {"big": "x" * 900_000}),
        contextlib.ExitStack() as open_socks,
    ):
        silent = [open_socks.enter_context(connected(tmp_path)) for _ in range(18)]
        half = open_socks.enter_context(connected(tmp_path))
        half.sendall(b'{"v":1,"ask"')
        deaf = open_socks.enter_context(connected(tmp_path))
        deaf.sendall(b'{"v":1,"ask":"status"}\n')
        assert control.ask(tmp_path).answer is not None
        # The oldest was told why.
        assert json.loads(silent[0].makefile("rb").read()) == {"v": 1, "error": control.BUSY}
        more = [open_socks.enter_context(connected(tmp_path)) for _ in range(40)]
        assert control.ask(tmp_path).answer is not None
        assert len(more) == 40


def test_a_server_whose_queue_is_full_is_busy_and_not_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SECONDS", 0.3)
    with (
        ServerLock(tmp_path, NOW),
        socket.socket(socket.AF_UNIX) as sock,
        socket.socket(socket.AF_UNIX) as first,
    ):
        sock.bind(str(tmp_path / control.SOCKET_FILE))
        sock.listen(0)
        first.connect(str(tmp_path / control.SOCKET_FILE))
        told = control.ask(tmp_path)
    assert told.answer is None
    assert told.busy


def test_a_server_that_is_asked_too_much_is_busy_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SECONDS", 0.3)
    with ServerLock(tmp_path, NOW), socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / control.SOCKET_FILE))
        sock.listen()

        def speak() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = sock.accept()
                    with peer:
                        peer.recv(control.QUESTION_LIMIT)
                        peer.sendall(b'{"v":1,"error":"busy"}\n')

        speaker = threading.Thread(target=speak)
        speaker.start()
        told = control.ask(tmp_path)
        sock.shutdown(socket.SHUT_RDWR)
        speaker.join()
    assert told.busy
    assert told.holder is not None
    assert told.holder.pid == os.getpid()


def test_an_answer_that_fails_ends_nothing(tmp_path: Path) -> None:
    answers: Iterator[dict[str, object]] = iter(
        [{"big": "x" * control.ANSWER_LIMIT}, {"bad": object()}, {"good": 1}]
    )
    with ServerLock(tmp_path, NOW), ControlSocket(tmp_path, lambda: next(answers)):
        assert control.ask(tmp_path).answer is None
        assert control.ask(tmp_path).answer is None
        answer = control.ask(tmp_path).answer
        assert answer is not None
        assert answer["good"] == 1


@pytest.mark.parametrize("answer", [b"[" * 100_000 + b"\n", b"9" * 5000 + b"\n", b"[]\n", b"{"])
def test_whoever_speaks_otherwise_at_the_socket_is_no_answer(tmp_path: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / control.SOCKET_FILE))
        sock.listen()

        def speak() -> None:
            peer, _ = sock.accept()
            with peer:
                peer.recv(control.QUESTION_LIMIT)
                peer.sendall(answer)

        speaker = threading.Thread(target=speak)
        speaker.start()
        assert control.ask(tmp_path) == control.Told(None)
        speaker.join()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach; pytest closes those of its own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@needs_root
def test_the_owner_of_the_store_and_root_are_answered_and_nobody_else(open_folder: Path) -> None:
    asks = f"""
import os
from muster.system import control
from pathlib import Path
import json, socket, encodings.idna
os.setgid(USER); os.setuid(USER)
print(control.ask(Path({str(open_folder)!r})).answer is not None)
"""

    def answered(user: int) -> bool:
        words = [sys.executable, "-c", asks.replace("USER", str(user))]
        return subprocess.run(words, capture_output=True, check=True).stdout == b"True\n"

    os.chown(open_folder, NOBODY, NOBODY)
    with ServerLock(open_folder, NOW), ControlSocket(open_folder, lambda: {}):
        path = open_folder / control.SOCKET_FILE
        assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (NOBODY, 0o600)
        assert (open_folder / control.LOCK_FILE).stat().st_uid == NOBODY
        assert answered(0)
        assert answered(NOBODY)
        assert not answered(NOBODY - 1)
        # The kernel's word counts, whatever the mode of the socket says.
        path.chmod(0o666)
        assert not answered(NOBODY - 1)


def test_where_no_socket_can_be_it_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / control.SOCKET_FILE).mkdir()
    with ControlSocket(tmp_path, lambda: {}):
        assert "questions about this process are not answered" in caplog.text
