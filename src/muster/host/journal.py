"""The host's request log and audit, where strangers can cause rows: how many of them are written.

Decides which requests get a row of their own. A machine that is counted, and was not listed within
ten minutes, always does. What anybody can repeat as often as he likes (a refusal that counts
nobody, the same machine again and again, a licence that is taken and given back in a loop) is
written at a bounded rate, and the rest as one row a minute that says how many. Counters count all.
Refuses to know rules. Obeys docs/spec/06-counting.md, section 6.11.
"""

from __future__ import annotations

from collections import OrderedDict

from muster.core.audit import Event
from muster.core.trickle import Held, Pace, Trickle
from muster.core.values import dataclass
from muster.db.engine import Transaction
from muster.host.model import MORE, LogRow
from muster.host.tables import audit, request_log
from muster.net.peers import source_key

SOURCE = Pace(10, 1)
TOTAL = Pace(100, 10)
"""500,000 rows last for 31 days of an attack from everywhere."""
AGAIN = 600.0
"""Seconds within which the same machine is listed once; no interval is shorter than 900."""
_KNOWN = 20_000
"""Machines whose last row is remembered."""
DOOR = "door:http"
"""Who acts where a machine's request does."""
_ENTRIES = (Event.HOST_LEASE_RELEASE, Event.HOST_CLONES_FIND)
"""Events of the audit that machines cause."""
_COUNTED = ("", "host/insufficient-count")
"""What a machine gets that was counted."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What a machine did that the audit tells; `address` is whose it was."""

    event: Event
    publisher: str
    cmid: str
    detail: str
    address: str


class Journal:
    """Kept in memory: a host that restarts begins with full buckets. One thread."""

    def __init__(self) -> None:
        self._requests = Trickle(SOURCE, TOTAL)
        self._entries = {event: Trickle(SOURCE, TOTAL) for event in _ENTRIES}
        self._listed: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._new: dict[tuple[str, str, str], float | None] = {}

    def keep(self) -> None:
        """What was written is durable."""
        self._new.clear()
        for kind in (self._requests, *self._entries.values()):
            kind.keep()

    def undo(self) -> None:
        """Be as at the last `keep`: nothing was written since then."""
        for key, before in self._new.items():
            if before is None:
                self._listed.pop(key, None)
            else:
                self._listed[key] = before
        self._new.clear()
        for kind in (self._requests, *self._entries.values()):
            kind.undo()

    def request(self, tx: Transaction, row: LogRow, monotonic: float) -> None:
        """Write the row of a request, or count it among those that are told together."""
        if self._ordinary(row, monotonic) or self._requests.take(
            source_key(row.address), monotonic
        ):
            request_log.log(tx, row)

    def entry(self, tx: Transaction, deed: Deed, now: int, monotonic: float) -> bool:
        """Write the audit entry of what a machine did, or count it among those that are told
        together; whether it was written."""
        written = self._entries[deed.event].take(source_key(deed.address), monotonic)
        if written:
            audit.write(tx, now, DOOR, deed.event, deed.publisher, deed.cmid, deed.detail)
        return written

    def due(self, monotonic: float) -> bool:
        """Whether `settle` would write something."""
        kinds = (self._requests, *self._entries.values())
        return any(kind.due(monotonic) for kind in kinds)

    def settle(self, tx: Transaction, now: int, monotonic: float) -> None:
        """Write what was held back, at most one row a minute of each kind."""
        held = self._requests.held(monotonic)
        if held is not None:
            request_log.log(tx, _more(held, now))
        for event, trickle in self._entries.items():
            held = trickle.held(monotonic)
            if held is not None:
                audit.write(tx, now, DOOR, event, "", "", f"{held.number} more of {held.whose}")

    def _ordinary(self, row: LogRow, monotonic: float) -> bool:
        """Whether a counted machine is listed for the first time in a while."""
        if row.code not in _COUNTED:
            return False
        key = (row.publisher, row.cmid, row.product)
        last = self._listed.get(key)
        if last is not None and monotonic - last < AGAIN:
            return False
        self._new.setdefault(key, last)
        self._listed[key] = monotonic
        self._listed.move_to_end(key)
        while len(self._listed) > _KNOWN:
            self._listed.popitem(last=False)
        return True


def _more(held: Held, now: int) -> LogRow:
    return LogRow(
        at=now,
        publisher="",
        product="",
        cmid="",
        address=held.whose,
        code=MORE,
        field_code="",
        need=0,
        count=held.number,
        client_time=now,
        virtual=None,
        state=0,
        minutes=0,
        os="",
        version="",
    )
