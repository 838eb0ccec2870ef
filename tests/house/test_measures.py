"""The measures of the source stay where they are, or get better (docs/architecture.md)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.house import measures
from tests.house.measures import Module

PAGE = Path(__file__).parents[2] / "docs/architecture.md"
CEILINGS = {
    "long modules without a reason": 0,
    "wide functions": 0,
    "cycles": 0,
    "free-form dictionaries": 0,
    "pairs that share lines": 31,
}
"""What may be left. A number here only ever gets smaller."""


@pytest.fixture(scope="module")
def source() -> list[Module]:
    return measures.read()


def test_a_long_module_says_why(source: list[Module]) -> None:
    silent = [one for one in source if one.lines > 500 and not one.says_why_it_is_long]
    assert len(silent) <= CEILINGS["long modules without a reason"], [one.path for one in silent]


def test_no_function_has_many_parameters(source: list[Module]) -> None:
    wide = [one for module in source for one in module.functions if one.parameters > 7]
    assert len(wide) <= CEILINGS["wide functions"], [one.place for one in wide]


def test_no_module_reaches_itself_by_its_imports(source: list[Module]) -> None:
    found = measures.cycles(measures.imports(source))
    assert len(found) <= CEILINGS["cycles"], found


def test_objects_of_json_have_types(source: list[Module]) -> None:
    found = measures.free_form(source)
    assert len(found) <= CEILINGS["free-form dictionaries"], found


def test_little_is_written_twice(source: list[Module]) -> None:
    found = measures.duplicates(source, shape=False)
    assert len(found) <= CEILINGS["pairs that share lines"], found


def test_the_page_shows_the_measures_that_are_counted(source: list[Module]) -> None:
    shown = re.findall(r"^\| ([^|]+) \| [0-9 /]+ \|$", PAGE.read_text(), re.MULTILINE)
    assert shown == [name for name, _, _ in measures.table(source)]


# That the script sees what it counts.

TANGLED = {
    "a.py": "from muster import b\n",
    "b.py": "def later():\n    from muster.c import thing\n    return thing\n",
    "c.py": "import muster.a\nthing = 1\n",
    "d.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from muster import a\n",
    "e.py": "from muster import d\n",
}


def written(folder: Path, files: dict[str, str]) -> list[Module]:
    for name, text in files.items():
        (folder / name).write_text(text)
    return measures.read(folder)


def test_lazy_imports_count_and_those_for_types_do_not(tmp_path: Path) -> None:
    found = measures.cycles(measures.imports(written(tmp_path, TANGLED)))
    assert found == [["muster.a", "muster.b", "muster.c"]]


def test_lines_that_stand_twice_are_found(tmp_path: Path) -> None:
    run = [f"value_{number} = {number}" for number in range(6)]
    files = {
        "a.py": "\n".join(["first = 1", *run, "end = 1"]),
        "b.py": "\n".join([*run[:3], "", "# a comment", *run[3:], "other = 2"]),
        "c.py": "\n".join(run[:5]),
        "d.py": "\n".join(line.replace("value", "name") for line in run),
    }
    modules = written(tmp_path, files)
    (same,) = measures.duplicates(modules, shape=False)
    assert (same.first, same.second, same.lines) == ("a.py:2", "b.py:1", 6)
    alike = measures.duplicates(modules, shape=True)
    assert {(one.first[:4], one.second[:4]) for one in alike} >= {
        ("a.py", "d.py"),
        ("a.py", "b.py"),
    }


def test_parameters_free_form_and_reasons_are_counted(tmp_path: Path) -> None:
    text = (
        '"""Long, because it is one table."""\n'
        "from typing import Any\n"
        "class One:\n"
        "    def wide(self, a, b, /, c, *, d=1, e, f, g, h): ...\n"
        "def made() -> dict[str, Any]: ...\n"
        "_hidden = 1\nSHOWN: int = 2\n"
    )
    (one,) = written(tmp_path, {"one.py": text})
    assert [(each.name, each.parameters) for each in one.functions] == [("made", 0), ("wide", 8)]
    assert measures.free_form([one]) == ["one.py:5"]
    assert one.says_why_it_is_long
    assert one.public == ("One", "made", "SHOWN")
    assert measures.spread([3, 1, 2]) == "2 / 3 / 3"
