"""Run the command `muster` as another user, also where the interpreter lies in root's home.

    python as_user.py UID WORD...

Everything that commands of clients import late is loaded as root; then rights and groups are given
up for good.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import sys
from pathlib import Path

from muster import cli, client, core, lease, net, system, wire
from muster.cli import main

LATE = ("encodings.idna",)
"""What the interpreter itself imports late."""
COMMANDS = ("client", "compose", "main", "options", "output", "streams")
"""Modules of the command line that commands of clients run."""
SERVERS = ("muster.db", "muster.host", "muster.publisher", "uvicorn")
"""What only servers need."""


def load() -> None:
    """Import what is imported anywhere in these packages, inside functions too."""
    for package in (core, lease, wire, system, net, client):
        for folder in package.__path__:
            for source in Path(folder).rglob("*.py"):
                load_imports(source)
    for name in COMMANDS:
        room = Path(cli.__path__[0]) / name
        for source in room.glob("*.py") if room.is_dir() else [room.with_suffix(".py")]:
            load_imports(source)
    for name in LATE:
        importlib.import_module(name)


def load_imports(source: Path) -> None:
    """Import what one file imports; what is not installed here is not needed either."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module]
        for name in names:
            if name.startswith(SERVERS):
                continue
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


if __name__ == "__main__":
    number = int(sys.argv[1])
    if number != 0:
        load()
        os.setgroups([])
        os.setgid(number)
        os.setuid(number)
    sys.argv = ["muster", *sys.argv[2:]]
    main.main()
