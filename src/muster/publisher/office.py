"""What every act and every question at a publisher needs: its store, its key files, who acts.

Draws the transactions that they share: acts that sign trust or a catalogue, or that issue keys,
run one at a time (a lock in the store); the service goes on beside them. Refuses to decide what
an act does (`muster.publisher.act`) or what a question tells (`muster.publisher.look`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from muster.core.audit import Who
from muster.core.catalogue import error
from muster.core.clock import BootClock, Dice
from muster.db.engine import ConstraintError, Reader, Transaction
from muster.health.process import ServerProcess, read_process
from muster.publisher import tables
from muster.publisher.evidence import CheckedClock, Reading
from muster.publisher.model import Publisher
from muster.publisher.store import Store, open_store
from muster.publisher.vault import Vault
from muster.system import control
from muster.system.files import Lock

LOCK_FILE = "admin.lock"


class Office:
    """One publisher, opened for an engineer.

    Args:
        folder: the store.
        store: its tables.
        vault: its key files.
        clock, dice: of this machine.
        actor: who acts, for the audit table.
    """

    def __init__(
        self, folder: Path, store: Store, vault: Vault, clock: BootClock, dice: Dice, actor: Who
    ) -> None:
        self.folder = folder
        self.store = store
        self.vault = vault
        self.clock = clock
        self.dice = dice
        self.actor = actor
        self._publisher: Publisher | None = None
        self.checked = CheckedClock(store, folder, clock)
        self._doubted: Reading | None = None

    def __enter__(self) -> Office:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the tables."""
        self.store.close()

    @property
    def publisher(self) -> Publisher:
        """Who this publisher is; it never changes. Raises: `publisher/none`."""
        if self._publisher is None:
            with self.view():
                pass
        assert self._publisher is not None
        return self._publisher

    @contextlib.contextmanager
    def view(self) -> Iterator[Reader]:
        """Reads of one state, in which there is a publisher.

        Raises: `publisher/none`; `publisher/clock`, where an act began by a clock in doubt.
        """
        with self.store.view() as reader:
            if self._publisher is None:
                self._publisher = tables.documents.publisher(reader)
            if self._publisher is None:
                raise error("publisher/none", path=str(self.folder))
            self._believe(reader)
            yield reader

    @contextlib.contextmanager
    def alone(self) -> Iterator[int]:
        """Run one act at a time; gives the instant of the act, as `now`."""
        with self.lock():
            try:
                yield self.now()
            finally:
                self._doubted = None

    def lock(self) -> Lock:
        """Of acts, of which one runs at a time."""
        return Lock(self.folder / LOCK_FILE)

    def now(self) -> int:
        """The instant of an act, in Unix seconds.

        The first look at the store that follows refuses a clock that what else is known of the
        time speaks against (`evidence`).
        Raises: `publisher/clock`, where nothing can be dated so.
        """
        self._doubted = self.checked.read()
        return self._doubted.now

    def process(self) -> ServerProcess | None:
        """The process that serves this store, as it says of itself; None where none does."""
        return process_of(self.folder)

    def keep_time(self) -> None:
        """Keep in the store that the clock is good, where it is; for what is done by any clock."""
        self.checked.unchecked()

    def _believe(self, reader: Reader) -> None:
        if self._doubted is not None:
            self.checked.check(reader, self._doubted)
            self._doubted = None

    @contextlib.contextmanager
    def edit(self) -> Iterator[Transaction]:
        """One transaction. Raises: `publisher/changed` where somebody else was faster."""
        try:
            with self.store.edit() as tx:
                self._believe(tx)
                yield tx
        except ConstraintError as fault:
            raise error("publisher/changed") from fault


def process_of(folder: Path) -> ServerProcess | None:
    """The process that serves the store in a folder, as it says of itself; it is asked without the
    database."""
    return control.ask_process(
        folder,
        read_process,
        lambda told, who: ServerProcess(who.pid, who.since, answers=False, busy=told.busy),
    )


def open_office(
    folder: Path, vault: Vault, clock: BootClock, dice: Dice, actor: Who, url: str = ""
) -> Office:
    """Open the publisher in a store folder; `url` as `open_store` takes it.

    Raises: `publisher/none`, and the errors of opening its database.
    """
    store = open_store(folder, clock.now(), url=url)
    return Office(folder, store, vault, clock, dice, actor)
