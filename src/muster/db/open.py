"""Opens a database of either kind by its address."""

from __future__ import annotations

import os

from muster.db.engine import BUSY_SECONDS, Database
from muster.db.sqlite import open_sqlite


def open_database(
    url: str | os.PathLike[str],
    *,
    create: bool = False,
    busy_seconds: float = BUSY_SECONDS,
) -> Database:
    """Open a database of either kind.

    Args:
        url: `postgresql://…` as libpq reads it, `sqlite:///absolute/path`, or a path.
        create: make the file where it is missing; a PostgreSQL database must exist.
        busy_seconds: how long to wait for another program's transaction.
    Raises: as `muster.db.sqlite.open_sqlite` and `muster.db.postgres.open_postgres`.
    """
    if os.fspath(url).startswith(("postgresql://", "postgres://")):
        # Only a publisher with PostgreSQL has the driver installed, and its import takes its time.
        from muster.db.postgres import open_postgres

        return open_postgres(os.fspath(url), busy_seconds=busy_seconds)
    return open_sqlite(url, create=create, busy_seconds=busy_seconds)
