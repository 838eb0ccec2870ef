"""Follows the publishers of a running host: catalogue, trust and terms, by themselves.

Decides whom it asks and when, by the setting `news_interval`; each publisher has a schedule and a
thread of its own, so that one that is away or answers slowly delays the news of no other; and a
bound for all that it is asked at a time, so that many of them, beyond which others wait, let these
have their turn. Serving goes on whatever happens here. Refuses to know what of an answer is taken:
that is `muster.host.act.news`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from muster.core import settings as table
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.settings import Role
from muster.core.values import replace
from muster.host import schedule
from muster.host.act import news
from muster.host.model import HostView, PublisherNews, PublisherView
from muster.host.online import PublisherClient
from muster.host.open import OpenHost
from muster.host.tables import news as stored
from muster.net.condition import Condition
from muster.net.exposition import Family, Labels

TASK = "task:news"
"""Who acts in the audit."""
LOOK_SECONDS = 10.0
"""How often a running host looks whether it is time."""
AT_ONCE = 16
"""Publishers that are asked at the same time; who is due beyond them waits for one to answer, and
the longest due is asked first."""
TURN_SECONDS = 180.0
"""How long all that one publisher is asked at a time may take: who answers each question just in
time keeps no other waiting for longer."""
_STOP_SECONDS = 2.0
_log = logging.getLogger("muster.host.news")


class Follower:
    """Fetches news by a schedule.

    Args:
        host: the store, with its settings.
        service: gives the client of a publisher's service.
        condition: is told what keeps news away, in the area `news`.
    """

    def __init__(self, host: OpenHost, service: news.Service, condition: Condition) -> None:
        self._host = host
        self._service = service
        self._condition = condition
        self._told: dict[str, PublisherNews] = {}
        self._came: dict[str, int] = {}
        self._remembers = False
        self._faults: dict[str, MusterError] = {}
        self._hinted: set[str] = set()
        self._asking: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()  # of what is told, and of who is asked
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="host-news", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; answers that are under way are not waited for."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def hint(self, publisher: str) -> None:
        """A request named what this publisher may have in newer news only: it is asked soon, and
        seldom for that reason. Waits for nothing; called by the thread that answers."""
        self._hinted.add(publisher)

    @property
    def told(self) -> tuple[PublisherNews, ...]:
        """How it went with each publisher."""
        with self._lock:
            return tuple(self._told.values())

    def families(self) -> list[Family]:
        """When each publisher was last asked and its last news came, for Prometheus."""
        with self._lock:
            good: dict[Labels, int] = {(name,): at for name, at in self._came.items()}
        asked: dict[Labels, int] = {}
        failures: dict[Labels, int] = {}
        for told in self.told:
            failures[(told.publisher,)] = told.failures
            if told.at is not None:
                asked[(told.publisher,)] = told.at
            if told.good_at is not None:
                good[(told.publisher,)] = told.good_at
        labels = ("publisher",)
        answered = "When news of a publisher last came, asked for or by file."
        tried = "When a publisher was last asked."
        failed = "Times in a row that asking a publisher did not bring all."
        return [
            Family("news_timestamp_seconds", "gauge", answered, labels, good),
            Family("news_asked_timestamp_seconds", "gauge", tried, labels, asked),
            Family("news_failures", "gauge", failed, labels, failures),
        ]

    def step(self) -> list[PublisherNews]:
        """Ask the publishers whose time has come, and wait for them; how it went with them."""
        started = self.begin()
        for thread in started.values():
            thread.join()
        return [told for told in self.told if told.publisher in started]

    def begin(self) -> dict[str, threading.Thread]:
        """Begin to ask the publishers whose time has come, at most `AT_ONCE` at a time; waits for
        no answer. The threads, by publisher."""
        host, now = self._host, self._host.clock.now()
        with host.database.snapshot() as reader:
            values, view = host.values(reader), host.view(reader)
            kept = stored.rows(reader)
        interval = values.get("news_interval", table.defaults(Role.HOST)["news_interval"])
        assert isinstance(interval, int)
        with self._lock:
            self._remember(kept, interval, now)
            self._came = {name: known.news_at for name, known in view.publishers.items()}
            self._forget(view, keep=interval > 0)
            self._take_hints(now)
            due = self._due(view, interval, now)
            started = {}
            for before in due[: AT_ONCE - len(self._asking)]:
                thread = threading.Thread(
                    target=self._ask, args=(before, interval), name="host-news-of", daemon=True
                )
                self._asking[before.publisher] = started[before.publisher] = thread
        for thread in started.values():
            thread.start()
        self._tell()
        return started

    def _remember(self, kept: Mapping[str, PublisherNews], interval: int, now: int) -> None:
        """Go on where the process before ended; later, hear of news that came by file."""
        if self._remembers:
            for name in kept.keys() & self._told.keys():
                came, told = kept[name].good_at, self._told[name]
                if came is not None and came > (told.good_at or 0):
                    self._told[name] = replace(told, good_at=came)
            return
        self._remembers = True
        for name, told in kept.items():
            at = schedule.restarted(now, interval, told.next_at, told.failures, self._host.dice)
            self._told.setdefault(name, replace(told, next_at=at))

    def _due(self, view: HostView, interval: int, now: int) -> list[PublisherNews]:
        """Who is asked now, the longest due first."""
        due = []
        for name, known in view.publishers.items():
            if not interval or known.url is None or name in self._asking or self._stop.is_set():
                continue
            before = self._told.get(name)
            if before is None:
                at = schedule.first(now, interval, self._host.dice)
                self._told[name] = PublisherNews(name, None, None, "", at)
            elif self._is_due(known, before, interval, now):
                due.append(before)
        return sorted(due, key=lambda before: before.next_at)

    @staticmethod
    def _is_due(known: PublisherView, before: PublisherNews, interval: int, now: int) -> bool:
        waited = max((key.asked_at for key in known.keys if key.asked_at is not None), default=-1)
        return (
            now >= before.next_at
            # A grant was asked for since, and did not come.
            or (waited >= (before.at or 0) and now >= waited + min(interval, schedule.AGAIN))
            # A clock that was put back leaves no instant that is further away than one interval.
            or before.next_at > now + max(interval, schedule.FIRST)
        )

    def _tell(self) -> None:
        with self._lock:
            faults = list(self._faults.values())
        self._condition.tell("news", faults)

    def _take_hints(self, now: int) -> None:
        hinted, self._hinted = self._hinted, set()
        for name in hinted & self._told.keys():
            told = self._told[name]
            # One that gave no answer is asked by its own schedule.
            if told.at is not None and not told.code:
                at = schedule.hinted(now, told.at, told.next_at, self._host.dice)
                self._told[name] = replace(told, next_at=at)

    def _forget(self, view: HostView, *, keep: bool) -> None:
        for name in list(self._told):
            known = view.publishers.get(name)
            if not keep or known is None or known.url is None:
                del self._told[name]
                self._faults.pop(name, None)

    def _ask(self, before: PublisherNews, interval: int) -> None:
        """Ask one publisher; the body of its thread."""
        name, fault, waits = before.publisher, None, None
        try:
            waits = news.follow(self._host, self._bounded, name).waits
        except MusterError as caught:
            fault = caught
        except Exception:  # noqa: BLE001 - serving goes on whatever happens here
            if self._stop.is_set():
                return
            _log.exception("a defect in fetching news")
            fault = error("wire/internal")
        now = self._host.clock.now()
        failures = 0 if fault is None and waits is None else before.failures + 1
        next_at = schedule.following(now, interval, failures, self._host.dice)
        with self._lock:
            del self._asking[name]
            told = PublisherNews(
                publisher=name,
                at=now,
                good_at=now if fault is None else self._told.get(name, before).good_at,
                code="" if fault is None else fault.code,
                next_at=next_at,
                failures=failures,
            )
            self._told[name] = told
            if fault is None:
                self._faults.pop(name, None)
            else:
                self._faults[name] = fault
        self._tell()
        try:
            with self._host.database.transaction() as tx:
                stored.put(tx, told)
        except MusterError as caught:  # told by the database's own area; the next one is kept
            _log.warning("how news went was not stored: %s", caught)

    def _bounded(self, known: PublisherView) -> PublisherClient:
        return self._service(known).within(TURN_SECONDS, self._host.clock.monotonic)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.begin()
            except MusterError as fault:
                _log.warning("news were not fetched: %s", fault)
            except Exception:  # noqa: BLE001 - serving goes on whatever happens here
                if self._stop.is_set():
                    return
                _log.exception("a defect in fetching news")
            self._stop.wait(LOOK_SECONDS)
