"""Filters are saved and removed, on both databases."""

from __future__ import annotations

import pytest
from tests.manager.conftest import inventory

from muster.core.errors import MusterError
from muster.manager import look
from muster.manager.act.filters import remove, save
from muster.manager.act.find import discover
from muster.manager.open import OpenManager


def test_a_saved_filter_is_a_term(manager: OpenManager) -> None:
    discover(manager, inventory("pc1", "pc2", "web1"), "hosts.csv")
    assert save(manager, "pcs", ("pc*",)).changed
    assert not save(manager, "pcs", (" pc* ",)).changed
    assert save(manager, "rest", ("!@pcs",)).changed
    assert [one.name for one in look.machines(manager, ("@rest",), 9).machines] == ["web1"]
    shown = [(row.name, row.terms, row.machines) for row in look.filters(manager).filters]
    assert shown == [("pcs", "pc*", 2), ("rest", "!@pcs", 1)]


def test_a_filter_that_another_one_has_stays(manager: OpenManager) -> None:
    save(manager, "pcs", ("pc*",))
    save(manager, "rest", ("!@pcs",))
    with pytest.raises(MusterError, match="rest") as refused:
        remove(manager, "pcs")
    assert refused.value.code == "manager/filter-used"
    assert remove(manager, "rest").terms == "!@pcs"
    assert remove(manager, "pcs").changed
    with pytest.raises(MusterError) as refused:
        remove(manager, "pcs")
    assert refused.value.code == "manager/unknown-filter"


def test_a_filter_that_would_contain_itself_is_not_saved(manager: OpenManager) -> None:
    save(manager, "a", ("pc*",))
    save(manager, "b", ("@a",))
    with pytest.raises(MusterError) as refused:
        save(manager, "a", ("@b",))
    assert refused.value.code == "manager/filter"
    assert look.filters(manager).filters[0].terms == "pc*"
