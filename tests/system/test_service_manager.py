"""What a service and its manager tell each other: sd_notify(3), sd_listen_fds(3)."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.core.errors import MusterError
from muster.system.service_manager import ServiceManager


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """The manager's own: what a service is given is a copy."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def handed(*sockets: socket.socket, names: str, pid: int | None = None) -> ServiceManager:
    """A service to which copies of sockets were handed over, one descriptor after the other."""
    free = max(sock.fileno() for sock in sockets) + 50
    for place, sock in enumerate(sockets):
        os.dup2(sock.fileno(), free + place)
    env = {
        "LISTEN_FDS": str(len(sockets)),
        "LISTEN_PID": str(os.getpid() if pid is None else pid),
        "LISTEN_FDNAMES": names,
    }
    manager = ServiceManager(env, first=free)
    assert not env
    return manager


@pytest.mark.parametrize("abstract", [False, True])
def test_every_word_is_one_datagram(tmp_path: Path, abstract: bool) -> None:
    name = f"@muster-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(f"\0{name[1:]}" if abstract else name)
        told.settimeout(10)
        env = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "90000000", "HOME": "/root"}
        manager = ServiceManager(env, monotonic=lambda: 1_234_567)
        assert (manager.is_there, manager.watchdog_seconds) == (True, 90.0)
        assert env == {"HOME": "/root"}, "no child process is to speak for this one"
        manager.ready("Answers\nSTOPPING=1")
        manager.reloading()
        manager.alive()
        manager.stopping()
        assert [told.recv(4096).decode() for _ in range(4)] == [
            "READY=1\nSTATUS=Answers STOPPING=1",
            "RELOADING=1\nMONOTONIC_USEC=1234567",
            "WATCHDOG=1",
            "STOPPING=1",
        ]


def test_no_word_is_lost_where_the_queue_of_the_manager_is_full(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others,
    ):
        told.bind(name)
        told.settimeout(10)
        others.setblocking(False)
        others.connect(name)
        with contextlib.suppress(BlockingIOError):
            while True:
                others.send(b"STATUS=somebody else")
        heard: list[bytes] = []

        def hear() -> None:
            while b"READY=1" not in (heard[-1] if heard else b""):
                heard.append(told.recv(4096))

        manager = ServiceManager({"NOTIFY_SOCKET": name})
        hearing = threading.Timer(0.1, hear)
        hearing.start()
        manager.ready("Answers")
        hearing.join()
    assert heard[-1] == b"READY=1\nSTATUS=Answers"


def test_without_a_manager_nothing_is_said_and_nothing_handed_over() -> None:
    manager = ServiceManager({})
    assert (manager.is_there, manager.watchdog_seconds) == (False, 0.0)
    assert manager.sockets("machines") == []
    manager.ready("nobody hears this")


def test_a_manager_that_has_gone_keeps_nobody_from_serving(tmp_path: Path) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("nobody hears this")


@pytest.mark.parametrize("whose", ["1", "x", ""])
def test_the_watchdog_of_another_process_is_not_ours(whose: str) -> None:
    env = {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": whose}
    assert ServiceManager(env, pid=7).watchdog_seconds == (1.0 if whose == "" else 0.0)


@pytest.mark.parametrize("span", ["", "-1", "1e9", "9" * 40])
def test_a_span_that_is_no_number_is_no_watchdog(span: str) -> None:
    assert ServiceManager({"WATCHDOG_USEC": span}).watchdog_seconds == 0.0


def test_sockets_are_asked_for_by_name_and_belong_to_who_asks(listening: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as second:
        manager = handed(listening, second, listening, names="machines:other:machines")
        mine = manager.sockets("machines")
        ports = [sock.getsockname()[1] for sock in mine]
        assert ports == [listening.getsockname()[1]] * 2
        assert not any(sock.get_inheritable() for sock in mine)
        assert manager.sockets("machines") == []
        manager.close_others()
        assert manager.sockets("other") == []
        for sock in mine:
            sock.close()


def test_sockets_of_another_process_are_not_touched(listening: socket.socket) -> None:
    manager = handed(listening, names="machines", pid=1)
    assert manager.sockets("machines") == []


@pytest.mark.parametrize("kind", ["file", "datagram", "client"])
def test_what_is_no_listening_stream_is_refused_by_name(
    tmp_path: Path, listening: socket.socket, kind: str
) -> None:
    with (
        (tmp_path / "file").open("wb") as file,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram,
        socket.create_connection(listening.getsockname()) as client,
    ):
        descriptors = {
            "file": file.fileno(),
            "datagram": datagram.fileno(),
            "client": client.fileno(),
        }
        number = descriptors[kind] + 60
        os.dup2(descriptors[kind], number)
        env = {"LISTEN_FDS": "1", "LISTEN_PID": "5", "LISTEN_FDNAMES": "machines"}
        with pytest.raises(MusterError) as caught:
            ServiceManager(env, pid=5, first=number)
        os.close(number)
    assert caught.value.code == "net/handed-socket"
    assert "machines" in caught.value.what
