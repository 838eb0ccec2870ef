"""`muster manager log`."""

from __future__ import annotations

from tests.cli.manager.conftest import Desk


def test_who_changed_what_newest_first(desk: Desk) -> None:
    desk.text("add", "pc1")
    desk.text("tag", "x", "pc1")
    desk.text("tag", "x", "pc1")
    entries = desk.data("log")["entries"]
    assert [row["event"] for row in entries] == ["manager:machine:tag", "manager:inventory:read"]
    assert entries[0]["actor"].startswith("user:")
    newest, before = desk.text("log").splitlines()
    assert "manager:machine:tag  x  1 machines: pc1" in newest
    assert "manager:inventory:read  by hand  1 added, 0 changed" in before
    assert len(desk.text("log", "--limit", "1").splitlines()) == 1
