"""Who unpacks the sdist has all that is built and tested from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.installed.conftest import ROOT, SECONDS, Built, call, surroundings

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("installed"), pytest.mark.timeout(600)]

MADE = frozenset({"__pycache__", "node_modules", "build", "dist"})
"""Folders that tools make; so are all below the root whose name begins with a dot, but `.ci`."""
OF_TOOLS = (".pyc", ".egg-info", ".so")
CHECKED = ("tests/docs/test_links.py", "tests/house/test_mirror.py", "tests/core/test_extras.py")


@pytest.fixture(scope="module")
def unpacked(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    call("tar", "-xzf", str(built.sdist), "-C", str(folder))
    (inside,) = folder.iterdir()
    return inside


def files(root: Path) -> set[str]:
    """What a folder holds of the project, by path below it."""
    found = set()
    for place, folders, names in os.walk(root):
        folder = Path(place)
        at_root = folder == root
        folders[:] = [
            name
            for name in folders
            if name not in MADE and (not name.startswith(".") or (at_root and name == ".ci"))
        ]
        found |= {
            (folder / name).relative_to(root).as_posix()
            for name in names
            if not name.endswith(OF_TOOLS) and (folder / name).is_file()
        }
    return found


def test_it_holds_every_file_of_the_project(unpacked: Path) -> None:
    assert files(unpacked) - {"PKG-INFO"} == files(ROOT) - {".git", "tests/foreign/go/verify"}


def test_its_tests_pass_in_it(unpacked: Path) -> None:
    """Those that read the most files; the others are the same files."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *CHECKED],
        cwd=unpacked,
        env=surroundings(PYTHONPATH=str(unpacked / "src")),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
