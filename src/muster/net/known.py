"""What a server knows of its database, so that health never waits for it.

Decides how often it is read, by a thread of its own, and when a server says that its database
keeps it from its work: from the first request that failed until the database has taken a write
again and nothing failed for a while; and when a reading does not come back. Refuses to know what
is read. Safe for several threads.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.net.condition import Condition
from muster.net.exposition import Family, gauge

Reading = TypeVar("Reading")

READ_SECONDS = 5.0
"""How often it is read, at least."""
AGAIN_SECONDS = 1.0
"""How often at most, after something changed."""
PAUSE = 10
"""Times as long as a reading took, nothing is read after it: large stores are not read all day."""
WRITE_SECONDS = 60.0
"""How often a write is tried while nothing is wrong."""
SILENT_SECONDS = 8.0
"""A reading that takes longer is told: the database keeps silent."""
QUIET_SECONDS = 10.0
"""For this long no request may have failed before all is well again: a full disk takes small
writes between the large ones that fail."""
AREA = "database"
_log = logging.getLogger("muster.net.known")


class Known(Generic[Reading]):
    """What is known of a database.

    Args:
        name: the database, as people know it.
        read: reads what is to be known; may wait.
        write: writes something durably that changes nothing; may wait.
        condition: is told of faults, in the area `database`.
        monotonic: seconds that never jump.
    Raises: what `read` raises: it is read once before anything is asked.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], Reading],
        write: Callable[[], object],
        condition: Condition,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._read = read
        self._write = write
        self._condition = condition
        self._monotonic = monotonic
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._reading_since: float | None = None
        self._failed_at = -QUIET_SECONDS
        self._wrote_at = monotonic()
        self.reading: Reading = read()
        """As of the last time that the database could be read."""
        self._read_at = condition.now()
        self._thread = threading.Thread(target=self._run, name="known", daemon=True)

    def start(self) -> None:
        """Read from now on, in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Read no more. Waits for nothing."""
        self._closed.set()
        self._wake.set()

    def changed(self) -> None:
        """Something was written: read it soon."""
        self._wake.set()

    def failed(self, fault: MusterError) -> None:
        """A request met this fault of the database."""
        self._failed_at = self._monotonic()
        self._tell(fault)
        self._wake.set()

    def _tell(self, fault: MusterError) -> None:
        """Tell a fault, once: its words may differ from request to request."""
        if fault.code not in (problem.code for problem in self._condition.area(AREA)):
            self._condition.tell(AREA, [fault])

    @property
    def is_well(self) -> bool:
        """Whether the database keeps nobody from his work, by what is known. Waits for nothing."""
        since = self._reading_since
        if since is not None and self._monotonic() - since > SILENT_SECONDS:
            self._tell(self._silent())
        return not self._condition.area(AREA)

    def families(self) -> list[Family]:
        """When what is known was read, for Prometheus."""
        text = "When the database was last read."
        return [gauge("database_read_timestamp_seconds", text, self._read_at)]

    def _silent(self) -> MusterError:
        return error(
            "db/unavailable",
            path=self._name,
            detail=f"nothing came back for more than {SILENT_SECONDS:g} seconds",
            retry_after=int(READ_SECONDS),
        )

    def look(self) -> None:
        """Read now, and see whether it can be written where that is due."""
        self._reading_since = now = self._monotonic()
        was_well = not self._condition.area(AREA)
        try:
            self.reading = self._read()
            self._read_at = self._condition.now()
            if not was_well or now - self._wrote_at >= WRITE_SECONDS:
                self._write()
                self._wrote_at = self._monotonic()
        except MusterError as fault:
            self._tell(fault)
        else:
            if self._monotonic() - self._failed_at >= QUIET_SECONDS:
                self._condition.tell(AREA, [])
        finally:
            self._reading_since = None

    def _run(self) -> None:
        while not self._closed.is_set():
            self._wake.wait(READ_SECONDS)
            self._wake.clear()
            if self._closed.is_set():
                return
            begun = self._monotonic()
            try:
                self.look()
            except Exception:  # noqa: BLE001 - whether it is well is asked whatever happens here
                if self._closed.is_set():
                    return
                _log.exception("a defect while reading what is known")
            self._closed.wait(max(AGAIN_SECONDS, PAUSE * (self._monotonic() - begun)))
