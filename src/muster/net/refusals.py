"""What a server refused: every one counted, and some of them written to its log.

Decides that strangers cannot fill a log: of each source and in all a bounded number of lines is
written, then one a minute that says how many more there were. Refuses to know why something was
refused. Safe for several threads.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from muster.core.errors import MusterError
from muster.core.trickle import Pace, Trickle
from muster.net.exposition import Family, Labels
from muster.net.peers import Source

SOURCE = Pace(10, 1)
TOTAL = Pace(100, 20)
REFUSED = "a request was refused"


class Refusals:
    """Counts by code, and logs.

    Args:
        log: where lines go.
        source: who asks, by peer and headers.
        monotonic: seconds that never jump.
    """

    def __init__(
        self,
        log: logging.Logger,
        source: Callable[[str, Mapping[str, str]], Source],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._source = source
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._trickle = Trickle(SOURCE, TOTAL)
        self._faults = Trickle(SOURCE, TOTAL)  # never left out because of what is refused
        self._codes: Counter[str] = Counter()

    def router(
        self, route: str, fault: MusterError, client: str, headers: Mapping[str, str]
    ) -> None:
        """Count and log what the router refused; what a handler answers it counts itself.

        One line a request: a fault of our own says there what happened and what to do, which
        its peer is not told.
        """
        with self._lock:
            self._codes[fault.code] += 1
        extra = {"code": fault.code, "route": route or "-"}
        source = self._source(client, headers)
        if fault.row.http < 500:
            self.line(REFUSED, source, extra)
            return
        cause = fault.__cause__ or fault
        if isinstance(cause, MusterError):
            extra["cause"] = cause.code
            message = f"{REFUSED}: {cause.code}: {cause.what} Fix: {cause.fix}"
        else:
            message = f"{REFUSED}: {cause!r}"
        self.line(message, source, extra, logging.ERROR)

    def line(
        self,
        message: str,
        source: Source,
        extra: Mapping[str, object],
        level: int = logging.INFO,
    ) -> None:
        """Log something that anybody can cause, at the rate that its source and all have."""
        trickle = self._trickle if level < logging.ERROR else self._faults
        with self._lock:
            written = trickle.take(source.key, self._monotonic())
        self.settle()
        if written:
            self._log.log(level, "%s", message, extra={"client": source.address, **extra})

    def settle(self) -> None:
        """Log how many lines were left out, at most once a minute."""
        with self._lock:
            now = self._monotonic()
            told = [trickle.held(now) for trickle in (self._trickle, self._faults)]
        for held in filter(None, told):
            self._log.info("%d more requests of %s are not listed", held.number, held.whose)

    def families(self) -> list[Family]:
        """What the router refused by code, for Prometheus."""
        self.settle()
        with self._lock:
            numbers: dict[Labels, int] = {
                (code,): number for code, number in sorted(self._codes.items())
            }
        text = "Requests refused before they reached the service, by code."
        return [Family("refused_total", "counter", text, ("code",), numbers)]
