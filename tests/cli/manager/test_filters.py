"""`muster manager filter`."""

from __future__ import annotations

from tests.cli.manager.conftest import Desk


def test_filters_are_saved_listed_and_removed(desk: Desk) -> None:
    assert desk.text("filter", "save", "pcs", "pc*") == "The filter pcs is saved: pc*\n"
    assert "nothing was changed" in desk.text("filter", "save", "pcs", "pc*")
    desk.text("add", "pc1")
    desk.text("filter", "save", "rest", "!@pcs")
    assert desk.text("filter", "list") == "pcs: pc*  (1 machine)\nrest: !@pcs  (0 machines)\n"
    assert desk.error("filter", "remove", "pcs", code=1) == "manager/filter-used"
    desk.text("filter", "remove", "rest")
    assert desk.text("filter", "remove", "pcs") == "The filter pcs is removed: pc*\n"
    assert desk.text("filter", "list") == "No filter is saved.\n"
    assert desk.error("filter", "remove", "pcs", code=2) == "manager/unknown-filter"
    assert desk.error("filter", "save", "two words", "x", code=2) == "manager/filter"
