"""`muster publisher trust`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.publisher.conftest import CHEAP, Desk


def test_trust_is_rotated_and_recovered(desk: Desk, tmp_path: Path) -> None:
    (first,) = desk.data("trust", "show")["trust"]
    found = desk.data("trust", "rotate", "--role", "grant", "--keep-days", "7", *CHEAP)
    assert found["trust"]["version"] == 2
    assert [one["index"] for one in found["trust"]["keys"] if one["role"] == "grant"] == [0, 1]
    reserve = str(desk.folder.parent / "reserve.key")
    recover = ("trust", "recover", "--reserve-root", reserve, *CHEAP)
    new_reserve = str(tmp_path / "new.key")
    assert desk.run(*recover, "--new-reserve-root", new_reserve).exit_code == 2
    assert desk.run(*recover, "--withdraw").exit_code == 2
    assert desk.run("trust", "rotate", "--withdraw", "--keep-days", "1").exit_code == 2
    assert desk.refused(*recover, "--version", "2", code=2) == "publisher/trust-step"
    found = desk.data(*recover, "--version", "9", "--new-root", "--new-reserve-root", new_reserve)
    assert found["trust"]["version"] == 10
    assert not set(found["trust"]["roots"]) & set(first["roots"])
    line = desk.data("trust", "show", "--all")["trust"]
    assert [one["version"] for one in line] == [1, 2, 9, 10]
    said = desk.text("trust", "show", "--all")
    assert "working root" in said
    assert "retired, valid until" in said
    assert desk.data("trust", "rotate", *CHEAP)["trust"]["version"] == 11
