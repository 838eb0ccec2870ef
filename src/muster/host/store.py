"""The host's database: opened, and its tables brought up to date.

Refuses to know what is in it (`muster.host.tables`).
"""

from __future__ import annotations

import logging
import os
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.db.engine import START_CHECK_SECONDS, Database, Reader
from muster.db.migrate import current_snapshot, migrated
from muster.db.open import open_database
from muster.system.control import not_served

_log = logging.getLogger("muster.host")

DATABASE = "host.db"
"""Name of the database in the host's store."""
KEYS_FOLDER = "keys"
"""Where a store's signing keys are."""
WING = "host"
SCHEMA = "muster.host.schema"
"""Where the steps of the tables are."""


def open_store(folder: str | os.PathLike[str], now: int, *, create: bool = False) -> Database:
    """The database of the host in its store folder, with its tables brought up to date.

    Raises: as `open_unjudged`; `db/altered`, `db/newer`; `db/served` where a server of an older
        version still works with them.
    """
    return migrated(
        open_unjudged(folder, create=create), WING, SCHEMA, now, partial(not_served, folder)
    )


def open_unjudged(folder: str | os.PathLike[str], *, create: bool = False) -> Database:
    """The database of the host in its store folder, whatever tables it has; who only looks judges
    them in the state that is read (`snapshot`).

    Raises: `host/not-initialised` where there is none and `create` is False, `host/lost` where
    signing keys show that there was one; the errors of `muster.db`.
    """
    path = Path(folder) / DATABASE
    try:
        return open_database(path, create=create)
    except MusterError as fault:
        if fault.code == "db/missing":
            lost = any((Path(folder) / KEYS_FOLDER).glob("*.key"))
            code = "host/lost" if lost else "host/not-initialised"
            raise error(code, path=str(folder)) from None
        raise


def check_at_start(database: Database) -> None:
    """See that a database is whole before it serves, as far as that takes no long time.

    Raises: `db/corrupt`.
    """
    if not database.check(START_CHECK_SECONDS):
        _log.info("the database is large: it was not checked to its end")


def snapshot(
    database: Database, folder: str | os.PathLike[str], now: int
) -> AbstractContextManager[Reader]:
    """One state of the database in its store folder in which its tables are up to date.

    Raises: `db/altered`, `db/newer`, `db/served`.
    """
    return current_snapshot(database, WING, SCHEMA, now, partial(not_served, folder))
