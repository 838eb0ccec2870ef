"""CONTRIBUTING.md shows the rooms as they are, and the walk names what there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.house import measures

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text("utf-8")
WALK = re.compile(r"`([a-z]+/[a-z_/]+\.py)`\s+`([A-Za-z_.]+)`(?:\s+and\s+`([a-z_]+)`)?")


def picture() -> str:
    found = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def floors() -> list[set[str]]:
    """Floors from the top down, the three wings as one."""
    found: list[set[str]] = []
    for line in picture().splitlines():
        if line.startswith("  "):
            names = re.match(r"  (\w+(?:  \w+)*)", line)
            if "│" in line:
                wings = {cell.strip() for cell in line.split("│")[1:]}
                if "host" in wings:
                    found.append(wings)
            elif names is not None:
                found.append(set(names[1].split()))
    return found


def rooms() -> dict[str, dict[str, tuple[int, bool]]]:
    """Row of each room by wing, the top one 0, and whether it must be there."""
    found: dict[str, dict[str, tuple[int, bool]]] = {}
    wings: list[str] = []
    row = -1
    for line in picture().splitlines():
        if "│" not in line:
            continue
        label, *cells = line.split("│")
        if not wings:
            wings = [cell.strip() for cell in cells]
            found = {wing: {} for wing in wings}
            continue
        row += bool(label.strip())
        for wing, cell in zip(wings, cells, strict=True):
            for word in cell.split():
                name = word.strip("()")
                assert name not in found[wing], f"{wing}.{name} stands twice"
                found[wing][name] = (row, word == name)
    return found


@pytest.fixture(scope="module")
def source() -> list[measures.Module]:
    return measures.read()


def test_the_picture_has_every_floor_and_imports_go_down(source: list[measures.Module]) -> None:
    drawn = floors()
    level = {name: at for at, names in enumerate(drawn) for name in names}
    there = {one.name.split(".")[1] for one in source if one.name.count(".")} - {"__main__"}
    assert set(level) == there
    for name, others in measures.imports(source).items():
        for other in others:
            above, below = (one.split(".")[1:2] for one in (name, other))
            if above and below and above != below and above != ["__main__"]:
                assert level[above[0]] < level[below[0]], f"{name} imports {other}"


def test_the_picture_has_every_room(source: list[measures.Module]) -> None:
    for wing, drawn in rooms().items():
        there = {one.name.split(".")[2] for one in source if one.name.startswith(f"muster.{wing}.")}
        must = {name for name, (_, sure) in drawn.items() if sure}
        assert must <= there <= set(drawn), f"{wing}: {must - there or there - set(drawn)}"


def test_no_room_imports_one_that_is_drawn_above_it(source: list[measures.Module]) -> None:
    graph = measures.imports(source)
    for wing, drawn in rooms().items():
        start = f"muster.{wing}."
        for name, others in graph.items():
            for other in others:
                if name.startswith(start) and other.startswith(start):
                    above, below = (drawn[one.split(".")[2]][0] for one in (name, other))
                    assert above <= below, f"{name} imports {other}"


def named() -> list[tuple[str, str]]:
    """Files and functions of the walk, in order."""
    walk = PAGE[PAGE.index("## One activation") : PAGE.index("## Rules")]
    return [
        (file, name)
        for file, first, second in WALK.findall(walk)
        for name in (first, second)
        if name
    ]


def test_the_walk_names_functions_that_there_are() -> None:
    assert len(named()) >= 20
    for file, name in named():
        inside: list[ast.stmt] = ast.parse((measures.SOURCE / file).read_text("utf-8")).body
        for part in name.split("."):
            found = [
                one
                for one in inside
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                and one.name == part
            ]
            assert found, f"{file} has no {name}"
            inside = found[0].body
