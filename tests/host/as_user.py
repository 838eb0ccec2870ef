"""Run a command of a host as another user, also where the interpreter lies in root's home.

    python as_user.py UID PYTHON -m muster WORD...

Everything that the command imports late is loaded as root; then rights and groups are given up for
good.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import pkgutil
import sys
from pathlib import Path

import muster

LATE = (
    "concurrent.futures.thread",
    "encodings.idna",
    "importlib.readers",
    "importlib.resources.readers",
)
"""What the interpreter itself imports late."""

if __name__ == "__main__":
    for module in pkgutil.walk_packages(muster.__path__, "muster."):
        if module.name != "muster.__main__":
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    names = set(LATE)
    for source in Path(muster.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                names.add(node.module)
    for name in sorted(names):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from muster.cli.main import main

    number = int(sys.argv[1])
    os.setgroups([])
    os.setgid(number)
    os.setuid(number)
    sys.argv = ["muster", *sys.argv[5:]]
    main()
