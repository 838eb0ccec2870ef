"""A manager's store, open: what every act and every look of a manager is given."""

from __future__ import annotations

from contextlib import AbstractContextManager

from muster.core.audit import Who
from muster.core.clock import Clock
from muster.core.values import dataclass
from muster.db.engine import Database, Reader
from muster.db.migrate import current_snapshot
from muster.manager.store import SCHEMA, WING


@dataclass(frozen=True, slots=True)
class OpenManager:
    """The store of a manager with what belongs to it.

    `database` from `store.open_store`, or for questions alone from `store.open_unjudged`; `clock`
    the machine's, or a test's; `actor` who acts, for the audit.
    """

    database: Database
    clock: Clock
    actor: Who

    def snapshot(self) -> AbstractContextManager[Reader]:
        """One state of the store, its tables up to date. Raises: `db/altered`, `db/newer`."""
        return current_snapshot(self.database, WING, SCHEMA, self.clock.now())
