"""The page of a server for Prometheus, written by the registry of prometheus-client.

Decides which prefix the families of a server get, and what every server tells: its version, and
what its process uses by the names that all libraries for Prometheus have. Refuses to wait: what it
is given is known already. Is imported where a server starts and nowhere else: the library is an
extra of servers, and costs 50 ms.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from muster import __version__
from muster.net.exposition import Family, Histogram

_PROC = Path("/proc")


class Page(Collector):
    """The page of one server.

    Args:
        role: "host" or "publisher".
        families: what is known now, without the prefix of the server; waits for nothing.
        proc: where Linux tells of processes; where that is missing, or another one than Linux's
            (some containers show their own), the process is passed over.
    """

    def __init__(
        self, role: str, families: Callable[[], Iterable[Family]], proc: Path = _PROC
    ) -> None:
        self._role = role
        self._families = families
        self._proc = proc
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def encode(self) -> bytes:
        """The page, in the text format of version 0.0.4."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """All families; called by the registry."""
        for family in self._families():
            yield _metric(f"muster_{self._role}", family)
        yield from self._version()
        yield from _process(self._proc)

    def _version(self) -> Iterator[Metric]:
        told = {"version": __version__, "python": platform.python_version()}
        for prefix, labels in (
            ("muster", {"role": self._role, **told}),
            (f"muster_{self._role}", told),
        ):
            yield _metric(
                prefix,
                Family(
                    "build_info",
                    "gauge",
                    "The version that runs.",
                    tuple(labels),
                    {tuple(labels.values()): 1},
                ),
            )


def _metric(prefix: str, family: Family) -> Metric:
    name = f"{prefix}_{family.name}"
    if family.kind == "histogram":
        spread = HistogramMetricFamily(name, family.text, labels=family.labels)
        for values, number in family.numbers.items():
            assert isinstance(number, Histogram)
            spread.add_metric(values, list(number.buckets), number.total)
        return spread
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(name, family.text, labels=family.labels)
    for values, number in family.numbers.items():
        assert not isinstance(number, Histogram)
        metric.add_metric(values, number)
    return metric


def _process(proc: Path) -> list[Metric]:
    try:
        return list(ProcessCollector(proc=str(proc), registry=None).collect())
    except (OSError, ValueError, LookupError, NameError):
        return []
