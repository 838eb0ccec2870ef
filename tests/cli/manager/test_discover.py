"""`muster manager discover` and `add`."""

from __future__ import annotations

import codecs

import pytest
from tests.cli.manager.conftest import Desk


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_spreadsheets_in_any_encoding(desk: Desk, encoding: str) -> None:
    text = "Name;Gruppe\r\nPC-1;böse\r\n"
    path = desk.file("liste.csv", text.encode(encoding))
    assert desk.data("discover", path)["added"] == ["pc-1"]


def test_a_file_of_windows_characters_says_what_to_do(desk: Desk) -> None:
    path = desk.file("liste.csv", "Name\nPC-ä\n".encode("cp1252"))
    assert desk.error("discover", path, code=2) == "file/encoding"
    assert desk.error("machines", code=2) == "manager/none"


def test_a_file_that_is_none(desk: Desk) -> None:
    assert desk.error("discover", str(desk.folder / "none"), code=3) == "file/missing"
    assert desk.error("discover", desk.file("x.yml", b"a: ["), code=1) == "manager/inventory"
    assert desk.error("discover", desk.file("x.csv", b"a\n"), "--source", " ", code=2)


def test_a_dry_run_of_a_new_manager_leaves_nothing(desk: Desk) -> None:
    path = desk.file("hosts.csv", b"pc1\npc2\n")
    preview = desk.data("discover", path, "--dry-run")
    assert (preview["changed"], preview["added"]) == (False, ["pc1", "pc2"])
    assert not (desk.folder / "store").exists()
    desk.text("discover", path)
    desk.file("hosts.csv", b"pc2\npc3\n")
    text = desk.text("discover", path, "--dry-run")
    assert "1 machine would be added: pc3" in text
    assert "1 machine not listed any more, and kept: pc1" in text
    assert desk.data("machines")["total"] == 2


def test_a_form_and_a_name_that_are_given(desk: Desk) -> None:
    path = desk.file("all.csv", codecs.BOM_UTF8 + b"[web]\npc1\n")
    found = desk.data("discover", path, "--form", "ansible-ini", "--source", "the site")
    assert (found["added"], found["source"]) == (["pc1"], "the site")
    assert desk.data("machines", "group=web")["machines"][0]["sources"] == ["the site"]


def test_a_machine_by_hand(desk: Desk) -> None:
    desk.text("add", "PC-1.", "--address", "10.0.0.1", "--port", "2222", "--account", "ops")
    assert "Nothing was changed." in desk.text("add", "pc-1", "--port", "2222")
    assert "1 machine changed: pc-1" in desk.text("add", "pc-1", "--tag", "a", "--tag", "b")
    (machine,) = desk.data("machines")["machines"]
    assert (machine["address"], machine["port"], machine["account"]) == ("10.0.0.1", 2222, "ops")
    assert machine["tags"] == ["a", "b"]
    for words in (("two words",), ("pc", "--address", "no where"), ("pc", "--account", "-o")):
        assert desk.error("add", *words, code=2) == "manager/machine"
    assert desk.error("add", "pc", "--tag", "two words", code=2) == "manager/tag"
