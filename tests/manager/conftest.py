"""A manager whose store is in a temporary folder, and one on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.manager.model import Inventory, Listed
from muster.manager.open import OpenManager
from muster.manager.store import open_store
from muster.testing.clock import ManualClock

NOW = 1_796_000_000


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenManager]:
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    with open_store(tmp_path, NOW, url, create=True) as database:
        yield OpenManager(database, ManualClock(NOW), "user:ann")


def inventory(*machines: Listed | str) -> Inventory:
    """An inventory of machines, named or whole."""
    return Inventory(tuple(Listed(item) if isinstance(item, str) else item for item in machines))
