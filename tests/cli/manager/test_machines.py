"""`muster manager machines`, `tag` and `remove`."""

from __future__ import annotations

import csv
import io

from tests.cli.manager.conftest import Desk


def test_machines_are_listed_tagged_and_removed(desk: Desk) -> None:
    desk.text("discover", desk.file("h.csv", b"name,group\npc1,a\npc2,a\nsrv,b\n"))
    assert "3 machines are found; --limit shows more of them." in desk.text(
        "machines", "--limit", "1"
    )
    assert desk.text("machines", "nothing") == "No machine is found.\n"
    assert "2 machines got the tag x: pc1, pc2" in desk.text("tag", "x", "group=a")
    assert "1 machine lost the tag x: pc1" in desk.text("tag", "x", "pc1", "--remove")
    assert "1 machine found; nothing was changed." in desk.text("tag", "x", "pc1", "--remove")
    assert "1 machine removed: srv" in desk.text("remove", "srv")
    assert "No machine is found; nothing was changed." in desk.text("remove", "srv")
    assert desk.data("machines")["total"] == 2


def test_a_command_that_changes_machines_wants_terms(desk: Desk) -> None:
    desk.text("add", "pc1")
    assert desk.error("remove", " ", code=2) == "manager/no-terms"
    assert desk.error("tag", "x", "", code=2) == "manager/no-terms"
    assert desk.error("machines", "colour=red", code=2) == "manager/filter"
    assert desk.error("machines", "@none", code=2) == "manager/unknown-filter"


def test_a_list_for_spreadsheets_has_no_formulas(desk: Desk) -> None:
    desk.text("add", "pc1")
    path = desk.file("x.csv", b"pc1\n")
    desk.text("discover", path, "--source", "=cmd()")
    rows = list(csv.DictReader(io.StringIO(desk.text("machines", "--csv"))))
    assert rows[0]["sources"].startswith("'=cmd()")
    desk.type("machines", "--csv", "--json", code=2)


def test_many_names_are_shortened(desk: Desk) -> None:
    desk.text("discover", desk.file("h.csv", b"\n".join(b"pc%d" % n for n in range(30))))
    assert desk.text("tag", "x", "*").endswith(" and 20 more\n")
