"""Whether the clock of a publisher's machine may be believed, by what else is known of the time.

What a publisher signs is dated, and a date that was wrong cannot be taken back everywhere. So
before an act or an activation the clock is held against the newest things that this publisher
did, heard and signed, and against a file of its store that keeps when the clock was last good.
Decides when a clock is in doubt; refuses to set it, and to know what is signed. Obeys
docs/spec/13-revocation-and-rotation.md, section 13.3.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable
from pathlib import Path

from muster.core.catalogue import error
from muster.core.clock import Clock
from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.core.text import instant_text
from muster.core.values import dataclass
from muster.db.engine import Reader
from muster.publisher import rules, tables
from muster.publisher.store import Store
from muster.system.files import read_bounded, write_atomic

AHEAD = 30 * DAY
"""Seconds that the clock may be past everything that is known, before somebody must say that it is
right: a publisher may have nothing to do for weeks."""
SEEN_FILE = "clock.seen"
"""The file of the store that says when the clock was last found good: digits of Unix seconds."""
_SEEN_BYTES = 32

_log = logging.getLogger("muster.publisher")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that is known of the time: `what` in words, `at` in Unix seconds; `binds` tells
    that no later clock stands before it."""

    what: str
    at: int
    binds: bool


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a clock is not believed: it is `ahead` of the newest evidence, or behind it."""

    newest: Evidence
    ahead: bool


def gather(reader: Reader, folder: Path) -> tuple[Evidence, ...]:
    """What one state of the store knows of the time.

    Args:
        folder: the store.
    """
    known: list[Evidence] = []
    last = tables.audit.last_act(reader)
    if last is not None:
        what = f"row {last.seq} of the audit log ({last.event})"
        known.append(Evidence(what, last.at, binds=True))
    seen = _seen(folder)
    if seen is not None:
        known.append(Evidence(f"the file {SEEN_FILE} of the store", seen, binds=True))
    signed = (
        ("trust", tables.documents.newest_trust(reader)),
        ("catalogue", tables.documents.newest_catalogue(reader)),
    )
    for name, document in signed:
        what = f"the signature of {name} version {document.version}"
        known.append(Evidence(what, document.iat, binds=False))
    return tuple(known)


def doubt(now: int, known: Iterable[Evidence]) -> Doubt | None:
    """What speaks against a clock, or None.

    The last act binds, and so does the file: an act that says that the clock is right is the last
    one from then on. What was signed while the clock was wrong binds nobody.
    """
    known = tuple(known)
    later = [item for item in known if item.binds and item.at > now + rules.CLOCK_SLACK]
    if later:
        return Doubt(max(later, key=lambda item: item.at), ahead=False)
    past = [item for item in known if item.at <= now + rules.CLOCK_SLACK]
    newest = max(past, key=lambda item: item.at, default=None)
    if newest is not None and now - newest.at > AHEAD:
        return Doubt(newest, ahead=True)
    return None


def refusal(now: int, found: Doubt) -> MusterError:
    """The error of a clock that is in doubt."""
    days = abs(now - found.newest.at) // DAY
    side = "after" if found.ahead else "before"
    detail = (
        f"it shows {instant_text(now)}, {days} days {side} {found.newest.what},"
        f" which is of {instant_text(found.newest.at)}"
    )
    return error("publisher/clock", detail=detail)


def remember(folder: Path, now: int) -> None:
    """Keep in the store that the clock was good, at most once a day; as far as the store may be
    written."""
    seen = _seen(folder)
    if seen is None or not 0 <= now - seen < DAY:
        try:
            write_atomic(folder / SEEN_FILE, f"{now}\n".encode("ascii"), keep_owner=True)
        except MusterError as fault:
            _log.warning("the time could not be kept in %s: %s", folder, fault)


def _seen(folder: Path) -> int | None:
    with contextlib.suppress(MusterError, ValueError):
        text = read_bounded(folder / SEEN_FILE, _SEEN_BYTES).decode("ascii").strip()
        if text.isdigit():
            return int(text)
    return None


class CheckedClock:
    """The clock of a publisher, which is believed only where nothing speaks against it. May be
    used from any thread.

    What has gone on since it was last believed is measured by the clock that never goes back, so
    that a service with nothing to do for months is in no doubt.

    Args:
        store: the tables; `folder` is the store.
    """

    def __init__(self, store: Store, folder: Path, clock: Clock) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._good: tuple[int, float] | None = None
        self._kept = 0

    def monotonic(self) -> float:
        """Seconds of the clock that never goes back."""
        return self._clock.monotonic()

    def shown(self) -> int:
        """Unix seconds as the clock shows them, whatever speaks against it; waits for nothing."""
        return self._clock.now()

    def unchecked(self) -> int:
        """Unix seconds as the clock shows them, for what is only told, or given again; kept in the
        store where the clock is good. Raises: `publisher/clock`, where nothing can be dated so."""
        now = self._clock.now()
        rules.today(now)
        with contextlib.suppress(MusterError):
            self.now()
        return now

    def now(self) -> int:
        """Unix seconds. Raises: `publisher/clock`, and the errors of the database."""
        now = self._clock.now()
        rules.today(now)
        if self._goes_on(now):
            self._believe(now)
        else:
            with self._store.view() as reader:
                self.check(reader, now)
        return now

    def check(self, reader: Reader, now: int) -> None:
        """Hold an instant of this clock against what one state of the store knows.

        Raises: `publisher/clock`.
        """
        if not self._goes_on(now):
            found = doubt(now, gather(reader, self._folder))
            if found is not None:
                raise refusal(now, found)
        self._believe(now)

    def _goes_on(self, now: int) -> bool:
        """Whether as much time has gone by since the clock was last believed as it shows."""
        with self._lock:
            good = self._good
        if good is None:
            return False
        passed = self._clock.monotonic() - good[1]
        return passed >= 0 and abs(now - good[0] - passed) <= rules.CLOCK_SLACK

    def _believe(self, now: int) -> None:
        with self._lock:
            self._good = (now, self._clock.monotonic())
            fresh = 0 <= now - self._kept < DAY
            self._kept = self._kept if fresh else now
        if not fresh:
            remember(self._folder, now)
