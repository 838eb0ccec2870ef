"""Opens a database of either kind by its address, and closes it when a program ends."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from muster.core.extras import brought_by
from muster.db.aside import settle
from muster.db.engine import BUSY_SECONDS, CLOSE_SECONDS, Database
from muster.db.sqlite import open_sqlite, path_of

_log = logging.getLogger("muster.db")


def open_database(
    url: str | os.PathLike[str],
    *,
    create: bool = False,
    busy_seconds: float = BUSY_SECONDS,
) -> Database:
    """Open a database of either kind; an exchange of an SQLite file that was cut off is finished or
    thrown away first.

    Args:
        url: `postgresql://…` as libpq reads it, `sqlite:///absolute/path`, or a path.
        create: make the file where it is missing; a PostgreSQL database must exist.
        busy_seconds: how long to wait for another program's transaction.
    Raises: `command/extra` without the driver of PostgreSQL; as `muster.db.aside.settle`,
        `muster.db.sqlite.open_sqlite` and `muster.db.postgres.open_postgres`.
    """
    if os.fspath(url).startswith(("postgresql://", "postgres://")):
        # Only a publisher with PostgreSQL has the driver installed, and its import takes its time.
        with brought_by("publisher", "PostgreSQL"):
            from muster.db.postgres import open_postgres

        return open_postgres(os.fspath(url), busy_seconds=busy_seconds)
    settle(path_of(url))
    return open_sqlite(url, create=create, busy_seconds=busy_seconds)


def close_in_time(close: Callable[[], None], seconds: float = CLOSE_SECONDS) -> bool:
    """Close something that may wait for a silent disk or server; whether it was closed in time.

    For a program that ends: what is still open then is undone by the database.
    """
    thread = threading.Thread(target=close, name="db-close", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        _log.warning("the database was not closed: it keeps silent")
    return not thread.is_alive()
