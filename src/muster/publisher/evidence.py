"""Whether the clock of a publisher's machine may be believed, by what else is known of the time.

What a publisher signs is dated, and a date that was wrong cannot be taken back everywhere. So
before an act or an activation the clock is held against what people did and signed, against the
time for which the machine has been up since the clock was last believed, and against what the store
keeps of both. No reading of the clock alone moves what it is held against. Decides when a clock is
in doubt; refuses to set it, and to know what is signed. Obeys
docs/spec/13-revocation-and-rotation.md, section 13.3.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Iterable
from pathlib import Path

from muster.core.catalogue import error
from muster.core.clock import BootClock, Uptime
from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.core.text import instant_text
from muster.core.values import dataclass
from muster.db.engine import Reader
from muster.publisher import rules, tables
from muster.publisher.store import SEEN_FILE, Store
from muster.system.files import read_bounded, write_atomic

AHEAD = 30 * DAY
"""Seconds that the clock may be past everything that is known, before somebody must say that it is
right: a publisher's machine may be off for weeks."""
SETTLING = 900
"""Seconds after the start of a machine in which its clock may still be set by a time server."""
DRIFT = 100
"""The clock may drift by one part in so many from the time that passes."""
_SEEN_BYTES = 512
_MAX = 2**53

_log = logging.getLogger("muster.publisher")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that is known of the time: `what` in words, `at` in Unix seconds; `binds` tells
    that no later clock stands before it, `counts` that it speaks for a clock that is after it."""

    what: str
    at: int
    binds: bool
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at both clocks: Unix seconds, and how long the machine has been up."""

    now: int
    uptime: Uptime


@dataclass(frozen=True, slots=True)
class Anchor:
    """What the uptime of one start of the machine is counted from: at `uptime` a believed clock
    showed `shown`, and `known` had been reached for certain. Instants are Unix seconds."""

    known: int
    shown: int
    uptime: Uptime

    def passed(self, reading: Reading) -> int | None:
        """Seconds since, None after another start of the machine; a little below 0 for a reading
        that waited while another was believed."""
        seconds = reading.uptime.seconds - self.uptime.seconds
        same = reading.uptime.boot == self.uptime.boot and seconds >= -SETTLING
        return int(seconds) if same else None

    def agrees(self, reading: Reading) -> bool:
        """Whether the clock has gone on by as much time as has passed."""
        passed = self.passed(reading)
        return passed is not None and _near(self.shown, passed, reading.now)

    def moved(self, reading: Reading) -> Anchor:
        """The same from this reading on: what time adds to it, and of the drift of the clock no
        more than its share."""
        passed = self.passed(reading)
        assert passed is not None
        share = abs(passed) // DRIFT
        drift = reading.now - self.shown - passed
        shown = self.shown + passed + max(-share, min(share, drift))
        return Anchor(self.known + passed, shown, reading.uptime)


def _near(then: int, passed: int, now: int) -> bool:
    return abs(now - then - passed) <= rules.CLOCK_SLACK + abs(passed) // DRIFT


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a clock is not believed: it is `ahead` of the evidence that speaks loudest, or behind it;
    or it `jumped` from where that says that it should be."""

    newest: Evidence
    ahead: bool
    jumped: bool = False


def gather(reader: Reader, anchor: Anchor | None, reading: Reading) -> tuple[Evidence, ...]:
    """What one state of the store knows of the time, and an anchor."""
    known: list[Evidence] = []
    last, typed = tables.audit.last_act(reader), tables.audit.last_typed(reader)
    for row in {row.seq: row for row in (last, typed) if row is not None}.values():
        what = f"row {row.seq} of the audit log ({row.event})"
        # What a service wrote unattended is no more than its own clock.
        counts = row == typed or anchor is None
        known.append(Evidence(what, row.at, binds=row == last, counts=counts))
    if anchor is not None:
        passed = anchor.passed(reading)
        what = f"the file {SEEN_FILE} of the store"
        if passed is not None:
            what += " and the time that this machine has been up since"
        known.append(Evidence(what, anchor.known + (passed or 0), binds=True))
    signed = (
        ("trust", tables.documents.newest_trust(reader)),
        ("catalogue", tables.documents.newest_catalogue(reader)),
    )
    for name, document in signed:
        what = f"the signature of {name} version {document.version}"
        known.append(Evidence(what, document.iat, binds=False))
    return tuple(known)


def _newest(now: int, known: Iterable[Evidence]) -> Evidence | None:
    """The newest evidence that speaks for a clock."""
    past = [item for item in known if item.counts and item.at <= now + rules.CLOCK_SLACK]
    return max(past, key=lambda item: item.at, default=None)


def doubt(reading: Reading, anchor: Anchor | None, known: Iterable[Evidence]) -> Doubt | None:
    """What speaks against a clock, or None.

    The last act binds, and so does the file: an act that says that the clock is right is the last
    one from then on. What was signed while the clock was wrong binds nobody.

    Args:
        known: as `gather` gives it.
    """
    known, now = tuple(known), reading.now
    later = [item for item in known if item.binds and item.at > now + rules.CLOCK_SLACK]
    if later:
        return Doubt(max(later, key=lambda item: item.at), ahead=False)
    newest = _newest(now, known)
    if newest is not None and now - newest.at > AHEAD:
        return Doubt(newest, ahead=True)
    return None if anchor is None else _jump(reading, anchor)


def _jump(reading: Reading, anchor: Anchor) -> Doubt | None:
    """Whether a clock has been set since the machine was up and settled; to the time that is known
    for certain, it may be."""
    passed = anchor.passed(reading)
    if passed is None or anchor.uptime.seconds < SETTLING or anchor.agrees(reading):
        return None
    if _near(anchor.known, passed, reading.now):
        return None
    shown = anchor.shown + passed
    what = "what it showed before and the time that this machine has been up since"
    return Doubt(Evidence(what, shown, binds=False), ahead=reading.now > shown, jumped=True)


def believed(reading: Reading, anchor: Anchor | None, known: Iterable[Evidence]) -> Anchor:
    """What the time is counted from, from a reading on that nothing speaks against."""
    newest = _newest(reading.now, known)
    certain = reading.now if newest is None else min(reading.now, newest.at)
    if anchor is None or not anchor.agrees(reading) or anchor.uptime.seconds < SETTLING:
        return Anchor(certain, reading.now, reading.uptime)
    return anchor.moved(reading) if (anchor.passed(reading) or 0) >= DAY else anchor


def refusal(now: int, found: Doubt) -> MusterError:
    """The error of a clock that is in doubt."""
    apart = abs(now - found.newest.at)
    span = f"{apart // DAY} days" if apart >= 2 * DAY else f"{apart // 3600} hours"
    side = "after" if found.ahead else "before"
    verb = "was set: it shows" if found.jumped else "shows"
    detail = (
        f"it {verb} {instant_text(now)}, {span} {side} {found.newest.what},"
        f" which is {'' if found.jumped else 'of '}{instant_text(found.newest.at)}"
    )
    return error("publisher/clock", detail=detail, today=instant_text(now)[:10])


def read_anchor(folder: Path) -> Anchor | None:
    """What a store keeps; None where it keeps nothing that can be read."""
    with contextlib.suppress(MusterError, ValueError, TypeError, KeyError, RecursionError):
        kept = json.loads(read_bounded(folder / SEEN_FILE, _SEEN_BYTES))
        if type(kept) is int:  # as it was before it named a start
            kept = {"known": kept, "shown": kept, "boot": "", "uptime": 0}
        numbers = kept["known"], kept["shown"], kept["uptime"]
        if all(type(number) is int and 0 <= number < _MAX for number in numbers):
            return Anchor(numbers[0], numbers[1], Uptime(str(kept["boot"]), float(numbers[2])))
    return None


def write_anchor(folder: Path, anchor: Anchor) -> None:
    """Keep it in a store. Raises: the errors of writing a file."""
    kept = {
        "known": anchor.known,
        "shown": anchor.shown,
        "boot": anchor.uptime.boot,
        "uptime": int(anchor.uptime.seconds),
    }
    text = json.dumps(kept, separators=(",", ":")) + "\n"
    write_atomic(folder / SEEN_FILE, text.encode("ascii"), keep_owner=True)


def keep(folder: Path, anchor: Anchor) -> None:
    """Keep it in a store, as far as that may be written."""
    try:
        write_anchor(folder, anchor)
    except MusterError as fault:
        _log.warning("the time could not be kept in %s: %s", folder, fault)


class CheckedClock:
    """The clock of a publisher, which is believed only where nothing speaks against it. May be
    used from any thread.

    How long the machine has been up since the clock was last believed is evidence too, so that a
    service with nothing to do for months is in no doubt, and a clock that is set is noticed.

    Args:
        store: the tables; `folder` is the store.
    """

    def __init__(self, store: Store, folder: Path, clock: BootClock) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._anchor: Anchor | None = None

    def monotonic(self) -> float:
        """Seconds of the clock that never goes back."""
        return self._clock.monotonic()

    def shown(self) -> int:
        """Unix seconds as the clock shows them, whatever speaks against it; waits for nothing."""
        return self._clock.now()

    def read(self) -> Reading:
        """Look at the clocks, once for everything that one request or act does.

        Raises: `publisher/clock`, where nothing can be dated so.
        """
        reading = Reading(self._clock.now(), self._clock.uptime())
        rules.today(reading.now)
        return reading

    def unchecked(self) -> Reading:
        """The same, for what is only told, or given again; believed where nothing speaks against
        it. Raises: `publisher/clock`, where nothing can be dated so."""
        reading = self.read()
        with contextlib.suppress(MusterError):
            self.believe(reading)
        return reading

    def believe(self, reading: Reading) -> None:
        """Refuse a reading that something speaks against, before anything durable is dated by it.

        Raises: `publisher/clock`, and the errors of the database.
        """
        if not self._goes_on(reading):
            with self._store.view() as reader:
                self.check(reader, reading)

    def check(self, reader: Reader, reading: Reading) -> None:
        """Hold a reading of this clock against what one state of the store knows.

        Raises: `publisher/clock`.
        """
        if self._goes_on(reading):
            return
        anchor = self._known_anchor(reading)
        known = gather(reader, anchor, reading)
        found = doubt(reading, anchor, known)
        if found is not None:
            raise refusal(reading.now, found)
        self._keep(believed(reading, anchor, known))

    def doubt(self, reader: Reader, reading: Reading) -> tuple[Doubt | None, tuple[Evidence, ...]]:
        """What speaks against a reading, and what is known; keeps nothing."""
        anchor = self._known_anchor(reading)
        known = gather(reader, anchor, reading)
        return doubt(reading, anchor, known), known

    def confirm(self, reading: Reading) -> None:
        """Somebody looked at another clock and says that this one is right.

        Raises: the errors of writing a file.
        """
        anchor = Anchor(reading.now, reading.now, reading.uptime)
        write_anchor(self._folder, anchor)
        with self._lock:
            self._anchor = anchor

    def _known_anchor(self, reading: Reading) -> Anchor | None:
        """What the store keeps: another process may have confirmed the clock. Where that is of
        another start of the machine, what this process keeps goes before it."""
        kept = read_anchor(self._folder)
        with self._lock:
            own = self._anchor
        if own is not None and (kept is None or kept.passed(reading) is None):
            return own
        return kept

    def _goes_on(self, reading: Reading) -> bool:
        """Whether as much time has gone by since the clock was last believed as it shows."""
        with self._lock:
            anchor = self._anchor
        if anchor is None or not anchor.agrees(reading):
            return False
        settled = anchor.uptime.seconds >= SETTLING
        if not settled and reading.uptime.seconds >= SETTLING:
            return False
        if (anchor.passed(reading) or 0) >= DAY:
            self._keep(anchor.moved(reading))
        return True

    def _keep(self, anchor: Anchor) -> None:
        """Keep an anchor here and in the store, as far as that may be written."""
        with self._lock:
            self._anchor = anchor
        if read_anchor(self._folder) != anchor:
            keep(self._folder, anchor)
