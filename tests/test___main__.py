"""The start of the command: Ctrl-C while its modules are imported."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.real

PRESSED = """
import os, runpy, signal, sys

class Presser:
    def find_spec(self, name, *_):
        if name == "muster.cli.main":
            os.kill(os.getpid(), signal.SIGINT)

if "ignored" in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.argv[1:] = ["--version"]
sys.meta_path.insert(0, Presser())
runpy.run_module("muster", run_name="__main__")
"""


def start(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRESSED, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_ctrl_c_while_modules_are_imported_ends_by_the_signal_and_says_nothing() -> None:
    done = start()
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_a_signal_that_is_ignored_stays_so() -> None:
    done = start("ignored")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("muster, version")
