"""docs/faults.md: every fault that was mended is listed with tests that exist."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.records import Fault, RecordError, faults, missing_test

ALL = (
    *(f"A{number}" for number in range(1, 11)),
    *(f"B{number}" for number in range(1, 11)),
    *(f"C{number}" for number in range(1, 16)),
    *(f"E{number}" for number in range(1, 16)),
)
"""The lines of the list of faults; each has a row at least."""


def without_row(wanted: tuple[str, ...], rows: list[Fault]) -> list[str]:
    """The ids that no row has."""
    listed = {row.id for row in rows}
    return [one for one in wanted if one not in listed]


def test_every_fault_has_its_row() -> None:
    assert not without_row(ALL, faults())


def test_every_test_of_a_fault_exists() -> None:
    wrong = [
        f"{row.id}: {missing_test(test)}"
        for row in faults()
        for test in row.tests
        if missing_test(test) is not None
    ]
    assert not wrong


ROW = """
[[fault]]
id = "{id}"
fault = "it fell"
kind = "nothing falls"
source = "owner/name#1"
tests = ["{test}"]
"""
HERE = "tests/docs/test_faults.py"


def write(folder: Path, name: str, *rows: str) -> list[Fault]:
    (folder / name).write_text("".join(rows), encoding="utf-8")
    return faults(folder)


def test_files_of_several_people_are_one_list(tmp_path: Path) -> None:
    write(tmp_path, "b.toml", ROW.format(id="B10", test="t"), ROW.format(id="B9", test="t"))
    rows = write(tmp_path, "a.toml", ROW.format(id="E1", test="t"), ROW.format(id="A1", test="t"))
    assert [row.id for row in rows] == ["A1", "B9", "B10", "E1"]
    assert without_row(("A1", "A2", "E1"), rows) == ["A2"]


@pytest.mark.parametrize(
    "text",
    [
        "[[fault]]\n",
        ROW.format(id="F1", test="t"),
        ROW.format(id="E", test="t"),
        ROW.format(id="A1", test="t").replace("owner/name#1", "design"),
        ROW.format(id="A1", test="t").replace("owner/name#1", "attack, somebody"),
        ROW.format(id="A1", test="t").replace('["t"]', "[]"),
        ROW.format(id="A1", test="t").replace('["t"]', '"t"'),
        ROW.format(id="A1", test="t").replace("it fell", " "),
        ROW.format(id="A1", test="t") + 'note = "x"\n',
        "[other]\n",
        "no toml",
    ],
)
def test_a_row_that_lacks_something_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(RecordError):
        write(tmp_path, "a.toml", text)


class TestFinder:
    def test_a_test_in_a_class_is_found(self) -> None:
        name = f"{HERE}::TestFinder::test_a_test_in_a_class_is_found"
        assert missing_test(name) is None
        assert missing_test(f"{HERE}::test_a_test_in_a_class_is_found") is not None

    def test_what_is_not_there_is_said(self) -> None:
        assert missing_test(f"{HERE}::test_every_fault_has_its_row") is None
        assert missing_test(f"{HERE}::test_a_row_that_lacks_something_is_refused[no toml]") is None
        assert missing_test(f"{HERE}::without_row") is not None
        assert missing_test(f"{HERE}::test_nothing") is not None
        assert missing_test("tests/docs/test_nothing.py::test_nothing") is not None
        assert missing_test(HERE) is not None
        assert missing_test("src/muster/__init__.py::test_x") is not None
