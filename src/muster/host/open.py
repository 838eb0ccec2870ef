"""A host's store, open: what every act and every look of a host is given.

Decides how settings come together: what `muster host set` has set wins over the settings file and
gives way to environment and flags. Refuses to know where folders are and who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from muster.core.audit import Who
from muster.core.clock import Clock, Dice
from muster.core.settings import Value
from muster.core.values import dataclass, field
from muster.db.engine import Database, Reader
from muster.host import store
from muster.host.keyring import KeyRing
from muster.host.model import HostView
from muster.host.running import HostProcess, read_process
from muster.host.tables import host_settings
from muster.host.view import effective, load_view
from muster.system import control


@dataclass(frozen=True, slots=True)
class OpenHost:
    """The store of a host with what belongs to it.

    `folder` where it is; `database` from `store.open_store`, or for questions alone from
    `store.open_unjudged`; `keyring` the host signing keys; `clock` and `dice` the machine's, or a
    test's; `actor` who acts, for the audit; `file_settings` the settings that give way to
    `muster host set`, `overrides` those that win over it.
    """

    folder: Path
    database: Database
    keyring: KeyRing
    clock: Clock
    dice: Dice
    actor: Who
    file_settings: Mapping[str, Value] = field(default_factory=dict)
    overrides: Mapping[str, Value] = field(default_factory=dict)

    def snapshot(self) -> AbstractContextManager[Reader]:
        """One state of the store, its tables up to date. Raises: as `store.snapshot`."""
        return store.snapshot(self.database, self.folder, self.clock.now())

    def values(self, reader: Reader) -> dict[str, Value]:
        """The settings that are set in one state of the store, by name."""
        return effective(host_settings.rows(reader), self.file_settings, self.overrides)

    def view(self, reader: Reader) -> HostView:
        """What the host knows in one state of the store, verified."""
        return load_view(
            reader, self.keyring, file_settings=self.file_settings, overrides=self.overrides
        )

    def process(self) -> HostProcess | None:
        """The process that serves this store, as it says of itself; None where none does."""
        return control.ask_process(
            self.folder,
            read_process,
            lambda told, who: HostProcess(who.pid, who.since, answers=False, busy=told.busy),
        )

    def current(self) -> HostView:
        """What the host knows now, verified."""
        with self.database.snapshot() as reader:
            return self.view(reader)
