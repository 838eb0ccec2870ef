"""Health is told from what is known: it waits for nothing, and names what is wrong."""

from __future__ import annotations

import logging
import threading

import pytest

from muster.core.catalogue import error
from muster.net import known
from muster.net.condition import Condition
from muster.net.known import Known

_log = logging.getLogger("test.known")
FULL = error("db/full", path="/x", retry_after=5)


class Store:
    """A database that is read and written, and may be full or keep silent."""

    def __init__(self) -> None:
        self.reads = self.writes = 0
        self.is_full = False
        self.gate = threading.Event()
        self.gate.set()
        self.now = 1000.0
        self.condition = Condition(_log, lambda: int(self.now))
        self.known = Known("x", self.read, self.write, self.condition, lambda: self.now)

    def read(self) -> int:
        assert self.gate.wait(60)
        self.reads += 1
        return self.reads

    def write(self) -> None:
        self.writes += 1
        if self.is_full:
            raise FULL

    def codes(self) -> list[str]:
        return [problem.code for problem in self.condition.problems()]


def test_a_fault_stands_until_a_write_works_and_nothing_failed_for_a_while() -> None:
    store = Store()
    assert (store.known.reading, store.known.is_well, store.writes) == (1, True, 0)
    store.is_full = True
    store.known.failed(FULL)
    assert (store.known.is_well, store.codes()) == (False, ["db/full"])
    store.now += 60
    store.known.look()
    assert (store.known.is_well, store.writes) == (False, 1), "it was tried, and failed"
    store.is_full = False
    store.known.failed(FULL)
    store.known.look()
    assert not store.known.is_well, "a request failed a moment ago"
    store.now += known.QUIET_SECONDS
    store.known.look()
    assert (store.known.is_well, store.codes()) == (True, [])


def test_a_fault_is_told_once_whatever_its_words(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    for path in ("/x", "/y", "/x"):
        store.known.failed(error("db/full", path=path, retry_after=5))
    assert len(caplog.records) == 1
    store.known.failed(error("db/io", path="/x", detail="x"))
    assert store.codes() == ["db/io"]


def test_a_full_disk_is_found_though_nobody_asks() -> None:
    store = Store()
    store.is_full = True
    store.known.look()
    assert store.known.is_well, "no write is due"
    store.now += known.WRITE_SECONDS
    store.known.look()
    assert not store.known.is_well


def test_a_reading_that_does_not_come_back_is_told_and_holds_nobody() -> None:
    store = Store()
    store.gate.clear()
    store.known.start()
    store.known.changed()
    end = threading.Event()
    while store.known.is_well:
        store.now += known.SILENT_SECONDS
        assert not end.wait(0.01)
    assert store.codes() == ["db/unavailable"]
    assert store.known.reading == 1
    (family,) = store.known.families()
    assert family.name == "database_read_timestamp_seconds"
    assert family.numbers == {(): 1000}
    store.known.close()
    store.gate.set()


def test_it_is_read_again_when_something_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "AGAIN_SECONDS", 0.0)
    store = Store()
    store.known.start()
    for _ in range(3):
        before = store.reads
        store.known.changed()
        while store.reads == before:
            threading.Event().wait(0.01)
    store.known.close()
