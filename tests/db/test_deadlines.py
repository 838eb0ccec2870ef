"""Whoever waits for a silent peer waits no longer than he said; what is answered is left alone."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator

import pytest

from muster.db.deadlines import Deadlines


class Wire:
    """A connection and its peer."""

    def __init__(self) -> None:
        self.sock, self.peer = socket.socketpair()
        self.sock.settimeout(60)

    def fileno(self) -> int:
        return self.sock.fileno()

    def close(self) -> None:
        self.sock.close()
        self.peer.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def test_a_peer_that_keeps_silent_is_cut_and_the_others_are_not(wire: Wire) -> None:
    deadlines, other = Deadlines(), Wire()
    for one in (wire, other):
        deadlines.adopt(one)
    with deadlines.within(other, 60), deadlines.within(wire, 0.05):
        assert wire.sock.recv(1) == b"", "the wait ended"
    assert deadlines.was_cut(wire)
    assert not deadlines.was_cut(other)
    other.peer.send(b"x")
    assert other.sock.recv(1) == b"x"
    other.close()
    deadlines.close()


def test_a_shorter_wait_that_comes_later_is_kept(wire: Wire) -> None:
    deadlines, other = Deadlines(), Wire()
    deadlines.adopt(wire)
    deadlines.adopt(other)
    with deadlines.within(other, 1000), deadlines.within(wire, 0.05):
        assert wire.sock.recv(1) == b""
    other.close()
    deadlines.close()


def test_whoever_was_answered_in_time_is_not_cut_later(wire: Wire) -> None:
    deadlines = Deadlines()
    deadlines.adopt(wire)
    with deadlines.within(wire, 0.05):
        pass
    second = Wire()
    deadlines.adopt(second)
    with deadlines.within(second, 0.1):
        assert second.sock.recv(1) == b"", "the clock of the first has run out by now"
    assert not deadlines.was_cut(wire)
    second.close()
    deadlines.close()


def test_the_end_cuts_what_still_waits_and_a_connection_that_is_gone_is_forgotten(
    wire: Wire,
) -> None:
    deadlines = Deadlines()
    deadlines.adopt(wire)
    with deadlines.within(wire, 1000):
        deadlines.close()
        assert wire.sock.recv(1) == b""
    gone = Wire()
    deadlines.adopt(gone)
    peer = gone.peer
    gone.sock.close()
    del gone
    gc.collect()
    peer.settimeout(60)
    assert peer.recv(1) == b"", "no descriptor of it is left"
    peer.close()
