"""`muster publisher audit`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.publisher.conftest import Desk


def test_the_audit_table_says_who(desk: Desk) -> None:
    rows = desk.data("audit", "--limit", "2")["audit"]
    assert [one["seq"] for one in rows] == [1, 2]
    assert rows[0]["event"] == "publisher:store:init"
    assert rows[0]["actor"].startswith("user:")
    last = desk.data("audit")["audit"][-1]["seq"]
    assert desk.data("audit", "--after", str(last))["audit"] == []
    assert "publisher:catalogue:sign" in desk.text("audit")


def test_the_audit_is_exported_to_a_file(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    done = desk.data("audit", "export", str(file))
    assert len(file.read_text().splitlines()) >= done["rows"] > 0
    assert desk.data("audit", "verify", "--file", str(file))["head"] == done["head"]
