"""Questions about a fleet."""

from __future__ import annotations

from tests.manager.conftest import inventory

from muster.manager import look
from muster.manager.act.filters import save
from muster.manager.act.find import discover
from muster.manager.model import Listed
from muster.manager.open import OpenManager


def test_a_list_has_a_limit_and_tells_how_many_there_are(manager: OpenManager) -> None:
    discover(manager, inventory("c", "a", "b"), "s")
    listing = look.machines(manager, (), 2)
    assert ([one.name for one in listing.machines], listing.total) == (["a", "b"], 3)


def test_a_first_preview_adds_all(manager: OpenManager) -> None:
    hosts = inventory("a", Listed("b", "10.0.0.1"))
    first = look.first_preview(hosts, "s")
    assert first == look.preview(manager, hosts, "s")
    assert (first.added, first.changed, first.preview) == (("a", "b"), False, True)


def test_saved_filters_tell_how_many_machines_they_find(manager: OpenManager) -> None:
    discover(manager, inventory("a", "b"), "s")
    save(manager, "first", ("a",))
    assert [(row.name, row.machines) for row in look.filters(manager).filters] == [("first", 1)]
