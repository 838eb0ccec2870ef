"""Numbers of a running host as Prometheus text (docs/spec/06-counting.md, section 6.8).

Decides the names of the series. `/metrics` is on the anonymous port: it shows counts no higher
than twice the largest threshold, as machines see them, so that the size of a fleet stays with its
administrator; `muster host status` shows all of it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from muster.core.products import COUNT_WINDOW
from muster.db.engine import Reader
from muster.host.model import HostView
from muster.host.rules import serves
from muster.host.tables import ledger, request_log
from muster.net import exposition

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the latency histogram, in seconds."""


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

    def lines(self) -> list[str]:
        """What was counted, as Prometheus text."""
        with self._lock:
            answers = sorted(self._answers.items())
            buckets = sorted((name, list(numbers)) for name, numbers in self._buckets.items())
            seconds = dict(self._seconds)
        texts = head("http_answers_total", "counter", "HTTP answers by route and status.")
        texts += [
            series("http_answers_total", number, route=route, status=status)
            for (route, status), number in answers
        ]
        texts += head("http_answer_seconds", "histogram", "Time from request to answer by route.")
        for route, numbers in buckets:
            total = 0
            for most, number in zip((*BUCKETS, None), numbers, strict=True):
                total += number
                bound = "+Inf" if most is None else f"{most:g}"
                texts.append(series("http_answer_seconds_bucket", total, route=route, le=bound))
            texts.append(series("http_answer_seconds_sum", f"{seconds[route]:.6f}", route=route))
            texts.append(series("http_answer_seconds_count", total, route=route))
        return texts


def head(name: str, kind: str, text: str) -> list[str]:
    """The two comment lines of a metric."""
    return exposition.head(f"muster_host_{name}", kind, text)


def series(name: str, value: int | str, **labels: str | int) -> str:
    """One line of a metric; the labels' values need no escapes by their grammars."""
    inner = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"muster_host_{name}{{{inner}}} {value}"


def ledger_lines(reader: Reader, view: HostView, now: int) -> list[str]:
    """Counters of requests, counts per application and versions held, as Prometheus text."""
    counters = request_log.counters(reader)
    texts = head("requests_total", "counter", "Requests by outcome, since the host was created.")
    texts += [
        series(
            "requests_total",
            number,
            publisher=publisher,
            product=product,
            outcome=code or "leased",
        )
        for (publisher, product, code), number in _summed(
            ((counter.publisher, counter.product, counter.code), counter.number)
            for counter in counters
        )
    ]
    texts += head("requests_by_state_total", "counter", "Requests by the client's licence state.")
    texts += [
        series("requests_by_state_total", number, publisher=publisher, state=state)
        for (publisher, state), number in _summed(
            ((counter.publisher, counter.state), counter.number) for counter in counters
        )
    ]
    texts += head(
        "machines", "gauge", "Machines of the last 30 days, at most twice the largest threshold."
    )
    for publisher, application, most in _applications(view):
        number = ledger.count(reader, publisher, application, now, most=most)
        texts.append(series("machines", number, publisher=publisher, application=application))
    texts += head(
        "machines_with_clones", "gauge", "Machines whose store was in use on another one, 30 days."
    )
    for known in view.publishers.values():
        clones = ledger.with_clones(reader, known.publisher, now - COUNT_WINDOW)
        texts.append(series("machines_with_clones", clones, publisher=known.publisher))
    for name, text in (
        ("trust_version", "Version of trust that is held."),
        ("catalogue_version", "Version of the catalogue."),
        ("serving", "1 while products of the publisher can be served."),
    ):
        texts += head(name, "gauge", text)
        for known in view.publishers.values():
            value = {
                "trust_version": known.trust.version,
                "catalogue_version": known.catalogue_version,
                "serving": int(serves(known, now)),
            }[name]
            texts.append(series(name, value, publisher=known.publisher, label=known.label))
    return texts


def _applications(view: HostView) -> list[tuple[str, str, int]]:
    """Publisher, application and twice its largest threshold, for all that catalogues name."""
    most: dict[tuple[str, str], int] = {}
    for known in view.publishers.values():
        for product in () if known.catalogue is None else known.catalogue.products:
            key = (known.publisher, product.application)
            most[key] = max(most.get(key, 0), 2 * product.need)
    return [(publisher, application, number) for (publisher, application), number in most.items()]


def _summed(
    parts: Iterable[tuple[tuple[str | int, ...], int]],
) -> list[tuple[tuple[str, ...], int]]:
    total: Counter[tuple[str, ...]] = Counter()
    for key, number in parts:
        total[tuple(str(part) for part in key)] += number
    return sorted(total.items())
