"""Which tests run on the same worker, and which begin first. A plugin of pytest; tests/conftest.py
loads it.

What a file makes once for all its tests is made once for the suite too: its tests stay together.
The mark `xdist_group` names a group of several files. pytest-xdist by itself loses those marks with
pytest 9.2, which keeps the ids of tests elsewhere, and says nothing. Tests that may take long begin
first, so that no worker is left alone with one at the end.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
LONG = 240
"""Seconds: whoever is allowed so many or more, may need them."""
GROUP = re.compile(r'xdist_group\("([^"]+)"\)')


@functools.cache
def group_of(path: str, root: Path = ROOT) -> str:
    """The group of the tests of a file, "" where each may run anywhere.

    Args:
        path: of the file below `root`, as the id of a test begins.
    """
    text = (root / path).read_text("utf-8")
    named = GROUP.search(text)
    if named is not None:
        return named[1]
    return path if 'scope="module"' in text else ""


class Sharing(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out groups as a whole, and all other tests one by one."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        self._root = config.rootpath

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return group_of(path, self._root) or nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing | None:
    """Ours in place of that of `--dist loadgroup`."""
    return Sharing(config, log) if config.getoption("dist") == "loadgroup" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests first, where workers share them."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -allowed(item))


def allowed(item: pytest.Item) -> float:
    """Seconds that a test is allowed, 0 below `LONG`."""
    mark = item.get_closest_marker("timeout")
    seconds = mark.args[0] if mark is not None and mark.args else 0
    return float(seconds) if seconds >= LONG else 0.0
