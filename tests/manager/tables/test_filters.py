"""Rows of saved filters, on both databases."""

from __future__ import annotations

from tests.manager.conftest import NOW

from muster.manager.model import SavedFilter
from muster.manager.open import OpenManager
from muster.manager.tables import filters


def test_a_filter_is_saved_in_place_of_another(manager: OpenManager) -> None:
    with manager.database.transaction() as tx:
        filters.save(tx, "b", "x", NOW)
        filters.save(tx, "a", "y", NOW)
        filters.save(tx, "b", "z", NOW + 1)
    with manager.snapshot() as reader:
        assert filters.rows(reader) == [SavedFilter("a", "y", NOW), SavedFilter("b", "z", NOW + 1)]
        assert filters.terms(reader) == {"a": "y", "b": "z"}
    with manager.database.transaction() as tx:
        assert filters.remove(tx, "a")
        assert not filters.remove(tx, "a")
