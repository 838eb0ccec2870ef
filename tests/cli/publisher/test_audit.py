"""`muster publisher audit`."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from tests.cli.publisher.conftest import Desk
from tests.journeys.test_slow_reader import brought_in, standing_still

from muster.cli import compose
from muster.core.audit import Event
from muster.publisher import tables


def test_the_audit_table_says_who(desk: Desk) -> None:
    rows = desk.data("audit", "--after", "0", "--limit", "2")["audit"]
    assert [one["seq"] for one in rows] == [1, 2]
    assert rows[0]["event"] == "publisher:store:init"
    assert rows[0]["actor"].startswith("user:")
    last = desk.data("audit")["audit"][-1]["seq"]
    assert desk.data("audit", "--after", str(last))["audit"] == []
    assert "publisher:key:issue" in desk.text("audit")


def test_a_limit_lists_the_newest_rows_and_after_reads_on(desk: Desk) -> None:
    every = desk.data("audit")["audit"]
    for count in (1, 3, len(every) + 1):
        assert desk.data("audit", "--limit", str(count))["audit"] == every[-count:]
        assert desk.data("audit", "list", "--limit", str(count))["audit"] == every[-count:]
    first, second = every[0]["seq"], every[1]["seq"]
    read_on = desk.data("audit", "--after", str(first), "--limit", "1")["audit"]
    assert [row["seq"] for row in read_on] == [second]
    assert every[-1]["event"] in desk.text("audit", "--limit", "1")


def test_the_audit_does_not_believe_the_environment(desk: Desk) -> None:
    claimed = dict.fromkeys(("LOGNAME", "USER", "USERNAME", "LNAME"), "mallory")
    issue = ("key", "issue", "--kind", "host", "--group", "server-c")
    assert desk.run(*issue, env=claimed).exit_code == 0
    row = desk.data("audit")["audit"][-1]
    assert row["event"] == "publisher:key:issue"
    assert row["actor"] == f"user:{pwd.getpwuid(os.getuid()).pw_name}"


def test_the_audit_is_exported_to_a_file(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    done = desk.data("audit", "export", str(file))
    assert len(file.read_text().splitlines()) >= done["rows"] > 0
    assert desk.data("audit", "verify", "--file", str(file))["head"] == done["head"]


@pytest.mark.parametrize("words", [("list", "--limit", "3000"), ("export", "-")])
def test_a_reader_that_stands_still_holds_nothing_back(desk: Desk, words: tuple[str, ...]) -> None:
    with compose.publisher_office(desk.folder, str, str) as office, office.edit() as tx:
        entry = (Event.KEY_ISSUE, "0-1-1", {"number": 1})
        tables.audit.write_many(tx, compose.clock().now(), office.actor, [entry] * 3_000)
    path = next(desk.folder.rglob("publisher.db"))
    with standing_still("publisher", "audit", *words, "--store", str(desk.folder)):
        with compose.publisher_office(desk.folder, str, str) as office, office.edit() as tx:
            tables.audit.write(
                tx, compose.clock().now(), office.actor, entry[0], "0-1-2", {"number": 1}
            )
        assert brought_in(path)
