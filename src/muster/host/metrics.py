"""Numbers of a running host for Prometheus (docs/spec/06-counting.md, section 6.8).

Decides the names of the series. `/metrics` is on the anonymous port: it shows counts no higher
than twice the largest threshold, as machines see them, so that the size of a fleet stays with its
administrator; `muster host status` shows all of it.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate

from muster.core.products import COUNT_WINDOW
from muster.db.engine import Reader
from muster.host.model import HostView
from muster.host.rules import serves
from muster.host.tables import ledger, request_log
from muster.net.exposition import Family, Histogram, Labels

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the latency histogram, in seconds."""
_BOUNDS = (*(f"{most:g}" for most in BUCKETS), "+Inf")


class Traffic:
    """Answers by route and status, and how long they took. Counted by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count one answer; an observer of the router."""
        index = next((n for n, most in enumerate(BUCKETS) if seconds <= most), len(BUCKETS))
        with self._lock:
            self._answers[route, status] += 1
            self._buckets.setdefault(route, [0] * (len(BUCKETS) + 1))[index] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds

    def families(self) -> list[Family]:
        """What was counted."""
        with self._lock:
            answers = dict(sorted(self._answers.items()))
            buckets = sorted((name, list(numbers)) for name, numbers in self._buckets.items())
            seconds = dict(self._seconds)
        return [
            Family(
                "http_answers_total",
                "counter",
                "HTTP answers by route and status.",
                ("route", "status"),
                {(route, str(status)): number for (route, status), number in answers.items()},
            ),
            Family(
                "http_answer_seconds",
                "histogram",
                "Time from request to answer by route.",
                ("route",),
                {
                    (route,): Histogram(
                        tuple(zip(_BOUNDS, accumulate(numbers), strict=True)), seconds[route]
                    )
                    for route, numbers in buckets
                },
            ),
        ]


def ledger_families(reader: Reader, view: HostView, now: int) -> list[Family]:
    """Counters of requests, counts per application, and what is held of each publisher."""
    counters = request_log.counters(reader)
    machines: dict[Labels, int] = {
        (publisher, application): ledger.count(reader, publisher, application, now, most=most)
        for publisher, application, most in _applications(view)
    }
    clones: dict[Labels, int] = {
        (known.publisher,): ledger.with_clones(reader, known.publisher, now - COUNT_WINDOW)
        for known in view.publishers.values()
    }
    return [
        Family(
            "requests_total",
            "counter",
            "Requests by outcome, since the host was created.",
            ("publisher", "product", "outcome"),
            _summed(
                ((counter.publisher, counter.product, counter.code or "leased"), counter.number)
                for counter in counters
            ),
        ),
        Family(
            "requests_by_state_total",
            "counter",
            "Requests by the client's licence state.",
            ("publisher", "state"),
            _summed(
                ((counter.publisher, str(counter.state)), counter.number) for counter in counters
            ),
        ),
        Family(
            "machines",
            "gauge",
            "Machines of the last 30 days, at most twice the largest threshold.",
            ("publisher", "application"),
            machines,
        ),
        Family(
            "machines_with_clones",
            "gauge",
            "Machines whose store was in use on another one, 30 days.",
            ("publisher",),
            clones,
        ),
        *_held(view, now),
    ]


def _held(view: HostView, now: int) -> list[Family]:
    """What the host holds of each publisher."""
    every = {(known.publisher, known.label): known for known in view.publishers.values()}
    with_catalogue = {
        labels: known.catalogue for labels, known in every.items() if known.catalogue is not None
    }
    ends: dict[Labels, float] = {}
    for labels, known in every.items():
        for held in known.grants:
            # Where a grant of the group has no end, there is no day to tell.
            end = math.inf if held.grant.exp is None else held.grant.exp
            group = (*labels, held.grant.group)
            ends[group] = max(end, ends.get(group, 0))
    whose = ("publisher", "label")
    return [
        Family(
            "trust_version",
            "gauge",
            "Version of trust that is held.",
            whose,
            {labels: known.trust.version for labels, known in every.items()},
        ),
        Family(
            "catalogue_version",
            "gauge",
            "Version of the catalogue.",
            whose,
            {labels: known.catalogue_version for labels, known in every.items()},
        ),
        Family(
            "catalogue_signed_timestamp_seconds",
            "gauge",
            "When the catalogue that is held was signed.",
            whose,
            {labels: catalogue.iat for labels, catalogue in with_catalogue.items()},
        ),
        Family(
            "grant_end_timestamp_seconds",
            "gauge",
            "When the last grant of a key group ends; +Inf where it does not end.",
            (*whose, "group"),
            ends,
        ),
        Family(
            "serving",
            "gauge",
            "1 while products of the publisher can be served.",
            whose,
            {labels: int(serves(known, now)) for labels, known in every.items()},
        ),
    ]


def _applications(view: HostView) -> list[tuple[str, str, int]]:
    """Publisher, application and twice its largest threshold, for all that catalogues name."""
    most: dict[tuple[str, str], int] = {}
    for known in view.publishers.values():
        for product in () if known.catalogue is None else known.catalogue.products:
            key = (known.publisher, product.application)
            most[key] = max(most.get(key, 0), 2 * product.need)
    return [(publisher, application, number) for (publisher, application), number in most.items()]


def _summed(parts: Iterable[tuple[Labels, int]]) -> dict[Labels, int]:
    total: Counter[Labels] = Counter()
    for key, number in parts:
        total[key] += number
    return dict(sorted(total.items()))
