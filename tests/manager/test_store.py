"""The manager's database: missing, from a newer version, brought up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from muster.core.errors import MusterError
from muster.db.open import open_database
from muster.manager import look
from muster.manager.open import OpenManager
from muster.manager.store import DATABASE, WING, open_unjudged
from muster.testing.clock import ManualClock


def test_a_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MusterError, match=str(tmp_path)) as refused:
        open_unjudged(tmp_path)
    assert refused.value.code == "manager/none"


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with open_unjudged(tmp_path, create=True) as database:
        opened = OpenManager(database, ManualClock(0), "user:ann")
        look.machines(opened, (), 1)
        with database.transaction() as tx:
            tx.execute(
                "INSERT INTO muster_migration (wing, number, name, checksum, applied_at)"
                " VALUES (?, 999, 'later', 'x', 0)",
                (WING,),
            )
        with pytest.raises(MusterError) as refused:
            look.machines(opened, (), 1)
        assert refused.value.code == "db/newer"


def test_a_question_of_an_empty_database_makes_its_tables(tmp_path: Path) -> None:
    with open_database(tmp_path / DATABASE, create=True) as database:
        opened = OpenManager(database, ManualClock(0), "user:ann")
        assert look.machines(opened, (), 1).total == 0
        assert not look.filters(opened).filters
