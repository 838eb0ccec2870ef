"""The end of accepting, on real listening sockets."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from muster.net.accepting import is_waiting, let_in_the_last, turn_away
from muster.net.serve import bind

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_who_was_let_in_is_kept_and_nobody_else_comes(address: str) -> None:
    with bind(address, 0) as sock:
        where = sock.getsockname()[:2]
        before = socket.create_connection(where, timeout=5)
        before.sendall(b"ping")
        assert turn_away(sock)
        with pytest.raises(TimeoutError):
            socket.create_connection(where, timeout=0.3)
        assert is_waiting(sock)
        link, _ = sock.accept()
        # What was accepted before and after goes on in both directions.
        assert link.recv(10) == b"ping"
        link.sendall(b"pong")
        assert before.recv(10) == b"pong"
        assert not is_waiting(sock)
        link.close()
        before.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(where, timeout=5)


def test_the_end_waits_for_an_empty_queue() -> None:
    async def main() -> list[bool]:
        with bind("127.0.0.1", 0) as sock:
            sock.setblocking(False)
            link = socket.create_connection(sock.getsockname(), timeout=5)
            ending = asyncio.create_task(let_in_the_last(sock))
            await asyncio.sleep(0.4)
            seen = [ending.done()]
            sock.accept()[0].close()
            link.close()
            await asyncio.wait_for(ending, 5)
            return [*seen, ending.done()]

    assert asyncio.run(main()) == [False, True]


def test_the_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muster.net.accepting._LONGEST_SECONDS", 0.3)
    with bind("127.0.0.1", 0) as sock, socket.create_connection(sock.getsockname(), timeout=5):
        asyncio.run(asyncio.wait_for(let_in_the_last(sock), 5))
        assert is_waiting(sock)
