"""Examples of properties are counted in one place, and a fresh seed that fails can be had again."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
FAILS = """
from hypothesis import given, strategies as st

@given(st.integers(0, 2**64))
def test_few_are_met(number: int) -> None:
    with open("numbers.txt", "a") as told:
        print(number, file=told)
    assert number % 3
"""


def played(folder: Path, profile: str, *options: str) -> tuple[str, str]:
    """What pytest printed, and the numbers that it tried."""
    (folder / "numbers.txt").unlink(missing_ok=True)
    done = subprocess.run(
        [*(sys.executable, "-m", "pytest", "-p", "tests.profiles"), *options, "test_few.py"],
        cwd=folder,
        env=os.environ | {"HYPOTHESIS_PROFILE": profile, "PYTHONPATH": str(TESTS.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    return done.stdout, (folder / "numbers.txt").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test_few.py").write_text(FAILS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def test_a_fresh_seed_that_fails_is_printed_and_gives_the_same_run_again(folder: Path) -> None:
    said, tried = played(folder, "fresh")
    (line,) = re.findall(r"^HYPOTHESIS_PROFILE=fresh .*", said, re.MULTILINE)
    seed = shlex.split(line)[4]
    assert re.fullmatch(r"--hypothesis-seed=[0-9]+", seed)
    assert shlex.split(line)[5:] == ["test_few.py::test_few_are_met"]
    assert played(folder, "fresh", seed)[1] == tried
    assert played(folder, "fresh")[1] != tried


def test_the_fast_profile_is_always_the_same(folder: Path) -> None:
    said, tried = played(folder, "fast")
    assert "play it again" not in said
    assert played(folder, "fast")[1] == tried


def test_no_test_counts_its_examples_elsewhere() -> None:
    counted = re.compile(r"max_examples=|\bregister_profile\b|derandomize=")
    found = [
        path.relative_to(TESTS).as_posix()
        for path in sorted(TESTS.rglob("*.py"))
        if counted.search(path.read_text("utf-8"))
    ]
    assert found == ["house/test_profiles.py", "profiles.py"]
