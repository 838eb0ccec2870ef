"""Secrets that came by the environment are not left there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from muster.system.environment import forget_variable

SECRET = "correct horse \u00f6"


def test_a_variable_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_TEST_SECRET", SECRET)
    assert forget_variable("MUSTER_TEST_SECRET") == SECRET
    assert "MUSTER_TEST_SECRET" not in os.environ
    assert forget_variable("MUSTER_TEST_SECRET") is None


@pytest.mark.skipif(sys.platform != "linux", reason="what a process was started with is in /proc")
def test_neither_children_nor_the_system_see_it_afterwards() -> None:
    program = """
import os, subprocess, sys
from muster.system.environment import forget_variable
before = open("/proc/self/environ", "rb").read()
assert sys.argv[1].encode() in before
assert forget_variable("SECRET") == sys.argv[1]
assert sys.argv[1].encode() not in open("/proc/self/environ", "rb").read()
assert os.environ["OTHER"] == "kept"
assert b"OTHER=kept" in open("/proc/self/environ", "rb").read()
print(subprocess.run(["env"], capture_output=True, check=True).stdout.decode())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, SECRET],
        env=os.environ | {"SECRET": SECRET, "OTHER": "kept"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "SECRET" not in done.stdout
    assert "OTHER=kept" in done.stdout
