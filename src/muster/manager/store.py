"""The manager's database: opened, and its tables brought up to date.

Refuses to know what is in it (`muster.manager.tables`).
"""

from __future__ import annotations

import os
from pathlib import Path

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.db.engine import Database
from muster.db.migrate import migrated
from muster.db.open import open_database

DATABASE = "manager.db"
"""Name of the database in the manager's store."""
WING = "manager"
SCHEMA = "muster.manager.schema"
"""Where the steps of the tables are."""


def open_store(
    folder: str | os.PathLike[str], now: int, url: str = "", *, create: bool = False
) -> Database:
    """The database of a manager with its tables brought up to date.

    Args:
        now: Unix seconds, kept beside each step of the tables.
        folder, url, create: as `open_unjudged`.
    Raises: as `open_unjudged`; `db/altered`, `db/newer`.
    """
    return migrated(open_unjudged(folder, url, create=create), WING, SCHEMA, now)


def open_unjudged(
    folder: str | os.PathLike[str], url: str = "", *, create: bool = False
) -> Database:
    """The database of a manager, whatever tables it has; who only looks judges them in the state
    that is read.

    Args:
        folder: the store; its database is the file `DATABASE`.
        url: another database in place of the file, such as `postgresql://…`; it must exist.
        create: make the file where it is missing.
    Raises: `manager/none` where there is none and `create` is False; the errors of `muster.db`.
    """
    try:
        return open_database(url or Path(folder) / DATABASE, create=create)
    except MusterError as fault:
        if fault.code == "db/missing":
            raise error("manager/none", path=os.fspath(folder)) from None
        raise
