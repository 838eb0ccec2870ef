"""Which rooms touch nothing outside the program, by folder; every module has its place.

A pure module reads no clock and throws no dice, opens no file, socket, database or process, starts
no thread, writes no log and prints nothing, and imports nothing of ours that does. The lower floors
are pure as a whole. In the wings whatever is not named here is.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.house import measures

PURE = ("core", "health", "lease", "wire")
"""Floors that are pure from top to bottom."""
OUTER = ("__init__", "__main__", "agent", "cli", "db", "net", "system", "testing")
"""Floors that are there to touch something."""
HANDS = {
    "client": {
        *(
            "act",
            "agent",
            "disk",
            "doctor",
            "evidence",
            "facade",
            "facts",
            "findings",
            "look",
            "network",
            "present",
        ),
        *("service", "settings", "site_folder", "store", "stores", "summary"),
    },
    "host": {
        *("act", "api", "backup_file", "batch", "commit", "doctor", "follow", "keyring"),
        *("look", "machine_list", "metrics"),
        *("online", "open", "publish", "server", "service", "store", "view"),
    },
    "manager": {*("act", "look", "open", "store")},
    "publisher": {
        *(
            "act",
            "activations",
            "api",
            "audit_file",
            "backup_file",
            "document_cache",
            "evidence",
            "look",
            "office",
            "pools",
        ),
        *("service", "store", "vault"),
    },
}
"""Rooms of the wings that touch something, or import one that does. Take out what becomes pure."""
TOUCHING = frozenset(
    {
        *("asyncio", "concurrent", "contextvars", "ctypes", "dns", "fcntl", "getpass", "grp"),
        *("http", "io", "locale", "logging", "mmap", "multiprocessing", "os", "pathlib"),
        *("platform", "psycopg", "psycopg_pool", "pwd", "queue", "random", "resource", "rich"),
        *("secrets", "select", "selectors", "shutil", "signal", "socket", "socketserver"),
        *("sqlite3", "ssl", "subprocess", "sys", "syslog", "tempfile", "threading", "time"),
        *("urllib.request", "uuid", "zoneinfo"),
    }
)
"""What only those import who touch something."""
CALLS = frozenset({"breakpoint", "input", "open", "print"})


def touches(module: measures.Module) -> set[str]:
    """What a module itself does outside the program; imports for types alone are none."""
    for_types = {
        inner
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found |= {node.func.id} & CALLS
        elif isinstance(node, ast.Attribute) and node.attr in {"now", "today", "utcnow"}:
            found |= {ast.unparse(node)} & {
                f"{kind}.{node.attr}" for kind in ("datetime", "date", "datetime.datetime")
            }
    for name in names:
        parts = name.split(".")
        found |= {".".join(parts[: at + 1]) for at in range(len(parts))} & TOUCHING
    return found


def impure(modules: list[measures.Module]) -> dict[str, str]:
    """Modules that touch something, with what it is or through whom."""
    graph = measures.imports(modules)
    found = {one.name: ", ".join(sorted(it)) for one in modules if (it := touches(one))}
    waiting = list(found)
    while waiting:
        reached = waiting.pop()
        for name, others in graph.items():
            if reached in others and name not in found:
                found[name] = reached
                waiting.append(name)
    return found


@pytest.fixture(scope="module")
def source() -> list[measures.Module]:
    return measures.read()


def test_every_folder_has_its_place(source: list[measures.Module]) -> None:
    floors = {one.path.split("/")[0].removesuffix(".py") for one in source}
    assert floors == {*PURE, *OUTER, *HANDS}


def test_the_lower_floors_are_pure(source: list[measures.Module]) -> None:
    found = {
        name: how
        for name, how in impure(source).items()
        if name.startswith(tuple(f"muster.{floor}" for floor in PURE))
    }
    assert not found


@pytest.mark.parametrize("wing", HANDS)
def test_rooms_of_a_wing_are_pure_but_for_those_that_are_named(
    wing: str, source: list[measures.Module]
) -> None:
    start = f"muster.{wing}."
    found = {name: how for name, how in impure(source).items() if name.startswith(start)}
    rooms = {name.removeprefix(start).split(".")[0]: how for name, how in found.items()}
    named = HANDS[wing]
    assert not {room: how for room, how in rooms.items() if room not in named}
    assert not named - set(rooms), "pure now: take them out of the list"


# That the test sees what it looks for.


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("import os.path\n", {"os"}),
        ("from urllib.request import urlopen\n", {"urllib.request"}),
        ("from urllib import request\n", {"urllib.request"}),
        ("from urllib.parse import quote\nimport json, datetime\n", set()),
        (
            "def f(path):\n    import time\n    with open(path) as file: print(file)\n",
            {"time", "open", "print"},
        ),
        ("from datetime import datetime\nX = datetime.now\n", {"datetime.now"}),
        ("def f(clock):\n    return clock.now()\n", set()),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pathlib\n", set()),
    ],
)
def test_what_touches_something_is_seen(tmp_path: Path, text: str, seen: set[str]) -> None:
    (tmp_path / "a.py").write_text(text)
    (module,) = measures.read(tmp_path)
    assert touches(module) == seen


def test_who_imports_one_that_touches_does_so_too(tmp_path: Path) -> None:
    for name, text in {
        "a.py": "import socket\n",
        "b.py": "from muster.a import x\n",
        "c.py": "def f():\n    from muster import b\n",
        "d.py": "import muster.e\n",
        "e.py": "E = 1\n",
    }.items():
        (tmp_path / name).write_text(text)
    assert set(impure(measures.read(tmp_path))) == {"muster.a", "muster.b", "muster.c"}


ASKING = frozenset({"exists", "is_dir", "is_file"})
"""Questions of `pathlib` that raise PermissionError where this user may not look, or do not, by the
version of Python; `system/files.py` has `is_there` and `is_folder`."""
OWN_PLACES = {
    "agent/daemon.py": "inside the watched store, errors borne",
    "cli/compose.py": "a server's own store",
    "cli/host/activate.py": "a file that was named",
    "db/aside.py": "a server's own store",
    "db/sqlite.py": "a server's own store",
    "host/keyring.py": "a server's own store",
    "publisher/act/setup.py": "a file that was named",
    "publisher/act/trust.py": "a file that was named",
    "publisher/store.py": "a server's own store",
    "publisher/vault.py": "a server's own store",
    "system/hardware.py": "files of the kernel",
}
"""Rooms that may ask so, for errors are told there by whoever calls."""


def test_what_others_own_is_asked_for_by_one_function() -> None:
    """An application of any user reads what root has set up, and is answered when it may not."""
    found = {
        module.path
        for module in measures.read()
        if not module.path.startswith("testing/") and module.path != "system/files.py"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ASKING
        and not node.args
        and not node.keywords
    }
    assert found == set(OWN_PLACES)
