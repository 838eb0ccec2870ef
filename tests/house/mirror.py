"""Which rooms of the source have tests of their own name, and which have not yet.

    python tests/house/mirror.py          print the rooms without tests of their name
    python tests/house/mirror.py --write  take rooms that have tests now out of the list

The tests of `src/muster/host/act/enrol.py` are `tests/host/act/test_enrol.py` and, for one aspect
each, `tests/host/act/test_enrol_….py`; those of a package stand beside its folder, as
`tests/cli/test_host.py` for `cli/host/__init__.py`. Stories and attacks that belong to no room have
folders of their own. Counts names of files only: a room without a mirror is tested by others.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "muster"
TESTS = ROOT / "tests"
LIST = Path(__file__).with_name("unmirrored.txt")
NOT_ROOMS = ("testing/",)
"""What tests are made of: it is run by all of them."""
OWN = frozenset(
    {
        "attacks",
        "docs",
        "foreign",
        "house",
        "installed",
        "journeys",
        "packages",
        "stores",
        "vectors",
        "worlds",
    }
)
"""Folders of tests that mirror no folder of the source."""


def rooms(source: Path = SOURCE) -> list[str]:
    """Modules that do something, by path: those with a function."""
    found = []
    for path in sorted(source.rglob("*.py")):
        name = path.relative_to(source).as_posix()
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        works = any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes)
        if works and not name.startswith(NOT_ROOMS):
            found.append(name)
    return found


def mirrors_of(room: str, tests: Path = TESTS) -> list[str]:
    """The files of tests that bear the name of a room, by path below `tests`."""
    path = Path(room)
    if path.name == "__init__.py":
        path = path.parent
    stem = f"test_{path.stem}"
    return sorted(
        one.relative_to(tests).as_posix()
        for one in (tests / path.parent).glob(f"{stem}*.py")
        if one.stem == stem or one.stem.startswith(f"{stem}_")
    )


def unmirrored(source: Path = SOURCE, tests: Path = TESTS) -> list[str]:
    """Rooms that no file of tests is named for."""
    return [room for room in rooms(source) if not mirrors_of(room, tests)]


def strays(source: Path = SOURCE, tests: Path = TESTS) -> list[str]:
    """Files of tests, outside the folders of stories, that are named for no module."""
    every = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    named = {one for room in every for one in mirrors_of(room, tests)}
    return sorted(
        path
        for path in (one.relative_to(tests).as_posix() for one in tests.rglob("test_*.py"))
        if path.split("/")[0] not in OWN and path not in named
    )


def listed(path: Path = LIST) -> list[str]:
    """Rooms that are known to have no tests of their name."""
    return path.read_text("utf-8").split()


def shown(names: Iterable[str]) -> str:
    """Rooms by folder, a line each."""
    folders: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        folder, _, file = name.rpartition("/")
        folders[folder].append(file.removesuffix(".py"))
    return "\n".join(f"  {folder}: {' '.join(files)}" for folder, files in folders.items())


def main(arguments: list[str]) -> int:
    found = unmirrored()
    if arguments == ["--write"]:
        LIST.write_text("".join(f"{name}\n" for name in listed() if name in set(found)), "utf-8")
    print(f"{len(found)} of {len(rooms())} rooms have no tests of their name:\n{shown(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
