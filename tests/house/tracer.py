"""Counts what a piece of work walks through: modules and functions of ours, states of a database.

A tracer by `sys.setprofile`, for the thread that runs the block: servers of a test, which run in
others, do not count. Used by test_paths.py.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import muster
from muster.core.facts import clean
from muster.lease.jws import is_public_key

SOURCE = str(Path(muster.__file__).resolve().parent) + "/"
NOT_COUNTED = ("testing/", "core/values.py")
"""What tests are made of; and the methods of dataclasses, which the standard library's decorator
would compile under no file of ours."""
_STATES = ("snapshot", "transaction")


@dataclass
class Touched:
    """Modules by path below `src/muster`, and functions as `path:name` with how often each ran.

    `states` are the snapshots and transactions that were opened of a database; each is one frame,
    which runs more than once.
    """

    modules: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    states: list[FrameType] = field(default_factory=list)

    @property
    def functions(self) -> set[str]:
        """The functions alone."""
        return set(self.calls)


@contextmanager
def touched() -> Iterator[Touched]:
    """What runs inside the block. The tops of modules, comprehensions and `NOT_COUNTED` do not
    count; and what was remembered from before is forgotten, so that a walk is that of a program
    that begins."""
    clean.cache_clear()
    is_public_key.cache_clear()
    found = Touched()

    def look(frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(SOURCE):
            return
        path = code.co_filename.removeprefix(SOURCE)
        if code.co_name.startswith("<") or path.startswith(NOT_COUNTED):
            return
        found.modules.add(path)
        found.calls[f"{path}:{code.co_qualname}"] += 1
        of_database = path.startswith("db/") and code.co_name in _STATES
        if of_database and not any(frame is one for one in found.states):
            found.states.append(frame)

    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(None)
