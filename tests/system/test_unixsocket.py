"""Programs on this machine are reached within a time, also where their queue is full."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.system.unixsocket import connect


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "socket")


@pytest.fixture
def full(path: str) -> Iterator[socket.socket]:
    """A listening socket whose queue has no room."""
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(path)
        listening.listen(0)
        first.connect(path)
        yield listening


def test_room_in_a_full_queue_is_waited_for(path: str, full: socket.socket) -> None:
    peers: list[socket.socket] = []
    tried = threading.Event()

    class Trying(socket.socket):
        def connect(self, address: object) -> None:
            try:
                super().connect(path)
            finally:
                tried.set()

    def accept() -> None:
        assert tried.wait(30)
        peers.append(full.accept()[0])

    accepting = threading.Thread(target=accept)
    accepting.start()
    with Trying(socket.AF_UNIX) as sock:
        connect(sock, path, time.monotonic() + 30)
        assert sock.getpeername() == path
    accepting.join()
    for peer in peers:
        peer.close()


def test_a_queue_that_stays_full_is_told(path: str, full: socket.socket) -> None:
    del full
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(BlockingIOError):
        connect(sock, path, time.monotonic() + 0.1)


def test_nobody_is_told_at_once(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(FileNotFoundError):
        connect(sock, path, time.monotonic() + 30)
