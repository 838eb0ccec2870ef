"""The host's service: counted first, answered second, each batch in one durable transaction.

Decides what one transaction holds, when the view is read again and when rows are repaired or
deleted; how a request is answered is decided in `muster.host.batch`. Synchronous: the API calls it
through the group writer (docs/adr/0007-sync-services.md). Obeys docs/spec/06-counting.md.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from muster.core.audit import Event
from muster.core.clock import Clock, Dice
from muster.core.settings import Value
from muster.core.values import dataclass
from muster.db.engine import Database, Reader
from muster.host import count, rules
from muster.host.batch import Batch, behind
from muster.host.journal import Journal
from muster.host.keyring import KeyRing
from muster.host.limits import NewMachines
from muster.host.model import HostView, QueuedRequest, Refused, Reply
from muster.host.tables import audit, ledger, own
from muster.host.view import load_view
from muster.net.condition import Condition
from muster.wire.release import ReleaseRequest

_log = logging.getLogger("muster.host")


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """What one round of housekeeping did, in rows."""

    clamped: int
    purged: int


class HostService:
    """Answers machines out of one database.

    Args:
        database: the host's, from `store.open_store`.
        keyring: the host signing keys.
        clock, dice: the machine's, or a test's.
        file_settings, overrides: settings that give way to `muster host set`, and that win over it.
        condition: is told what is wrong; one of its own where there is none.
    """

    def __init__(
        self,
        database: Database,
        keyring: KeyRing,
        clock: Clock,
        dice: Dice,
        *,
        file_settings: Mapping[str, Value] | None = None,
        overrides: Mapping[str, Value] | None = None,
        condition: Condition | None = None,
    ) -> None:
        self.database = database
        self.condition = condition or Condition(_log, clock.now)
        self._keyring = keyring
        self._clock = clock
        self._dice = dice
        self._file_settings = file_settings
        self._overrides = overrides
        self.behind: Callable[[str], None] = lambda _: None
        """Is told a publisher whose news this host may lack, after the answer is durable."""
        self._limiter = NewMachines()
        self._journal = Journal()
        self._watch = count.watch(None, clock.now(), clock.monotonic())
        with database.snapshot() as reader:
            self._view = load_view(
                reader, keyring, file_settings=file_settings, overrides=overrides
            )
        self._tell()

    def view(self) -> HostView:
        """What the host knows now; changes by commands of administrators are seen at once."""
        with self.database.snapshot() as reader:
            if own.revision(reader) != self._view.revision:
                self._load(reader)
            return self._view

    def reload(
        self, file_settings: Mapping[str, Value] | None, overrides: Mapping[str, Value] | None
    ) -> None:
        """Take other settings from files, environment and flags, and read the store anew: keys and
        documents too. Raises: the errors `db/…`; then the settings are taken all the same."""
        self._file_settings, self._overrides = file_settings, overrides
        with self.database.snapshot() as reader:
            self._load(reader)

    @property
    def known(self) -> HostView:
        """The view as of the last transaction or look; costs nothing."""
        return self._view

    def _load(self, reader: Reader) -> None:
        self._view = load_view(
            reader,
            self._keyring,
            file_settings=self._file_settings,
            overrides=self._overrides,
            known=self._view,
        )
        self._tell()

    def _tell(self) -> None:
        """Say what of the store cannot be used, and which publishers are not served."""
        now, publishers = self._clock.now(), self._view.publishers.values()
        self.condition.tell("store", [fault for known in publishers for fault in known.faults])
        self.condition.tell(
            "grants",
            [fault for known in publishers for fault in rules.problems(known, now)],
        )

    def look_again(self) -> None:
        """See whether what is wrong is so still: a signing key that could not be read, or can no
        longer be, and grants that have ended."""
        if any(
            self._keyring.state(known.publisher) != known.key_state
            for known in self._view.publishers.values()
        ):
            with self.database.snapshot() as reader:
                self._load(reader)
        else:
            self._tell()

    def now(self) -> int:
        """The host's clock, Unix seconds."""
        return self._clock.now()

    def handle(self, batch: Sequence[QueuedRequest]) -> list[Reply]:
        """Count and answer requests in one transaction; durable when this returns.

        Each request sees the machines that came before it, those of the same batch included, so
        that 24 and 25 never both read 24.
        Raises: the errors `db/…`; then nothing of the batch was written.
        """
        now, monotonic = self._clock.now(), self._clock.monotonic()
        self._watch = count.watch(self._watch, now, monotonic)
        with self._remembered(), self.database.transaction() as tx:
            if own.revision(tx) != self._view.revision:
                self._load(tx)
            work = Batch(tx, self._view, self._dice, self._limiter, self._journal, now, monotonic)
            replies = [work.answer(arrival) for arrival in batch]
            work.finish()
        for arrival, reply in zip(batch, replies, strict=True):
            unproved = isinstance(reply, Refused) and reply.error.code == "host/request-proof"
            is_release = isinstance(arrival.request, ReleaseRequest)
            if (is_release or not unproved) and (publisher := behind(self._view, arrival.request)):
                self.behind(publisher)
        return replies

    @contextlib.contextmanager
    def _remembered(self) -> Iterator[None]:
        """What is kept in memory of requests is as durable as their transaction: where that is
        undone, so are the machines that a source brought, and what was listed of them."""
        kept = (self._limiter, self._journal)
        for memory in kept:
            memory.keep()
        try:
            yield
        except BaseException:
            for memory in kept:
                memory.undo()
            raise

    def housekeep(self) -> Housekeeping:
        """Repair rows of a jumped clock and delete what nobody touched for 90 days, if the clock
        may be believed; a bounded piece of work each time."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        self._watch = count.watch(self._watch, now, monotonic)
        floor = max((publisher.floor for publisher in self.view().publishers.values()), default=0)
        clamped = purged = 0
        if count.may_clamp(self._watch, now, monotonic, floor):
            clamped = self._clamp(now)
        if count.may_purge(self._watch, now, monotonic, floor):
            with self.database.transaction() as tx:
                purged = ledger.purge(tx, now)
        if self._journal.due(monotonic):
            with self._remembered(), self.database.transaction() as tx:
                self._journal.settle(tx, now, monotonic)
        return Housekeeping(clamped, purged)

    def _clamp(self, now: int) -> int:
        with self.database.snapshot() as reader:
            if not ledger.any_ahead(reader, now):
                return 0
        with self.database.transaction() as tx:
            number = ledger.clamp_future(tx, now)
            detail = f"{number} rows set to now"
            audit.write(tx, now, "task:clock", Event.HOST_CLOCK_MEND, "", "", detail)
        _log.warning("a clock jump was repaired: %d rows from the future were set to now", number)
        return number
