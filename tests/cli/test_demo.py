"""`muster demo` as a newcomer runs it: real programs, real DNS, numbers that agree."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from muster.cli.demo import DemoReport
from muster.core.records import schema

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]
COMMAND = [sys.executable, "-m", "muster", "demo"]


def demo(*words: str, temporary: Path) -> dict[str, Any]:
    done = subprocess.run(
        [*COMMAND, "--json", *words],
        capture_output=True,
        check=False,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    value = json.loads(done.stdout)
    assert isinstance(value, dict)
    return value


def test_the_whole_story_ends_with_every_machine_licensed(tmp_path: Path) -> None:
    """With BIND 9; with the small DNS server tests/docs/test_picture.py plays it, at a terminal."""
    report = demo(temporary=tmp_path)
    jsonschema.validate(report, schema(DemoReport), jsonschema.Draft202012Validator)
    desktops, servers, offices = report["fleets"]
    assert report["problems"] == []
    assert report["verified_offline"] is True
    assert (desktops["machines"], desktops["need"]) == (25, 25)
    assert (desktops["refused"], desktops["first_licensed"], desktops["licensed"]) == (24, 25, 25)
    assert (servers["machines"], servers["need"], servers["licensed"]) == (5, 5, 5)
    assert (offices["refused"], offices["first_licensed"], offices["licensed"]) == (4, 5, 5)
    assert (desktops["count"], servers["count"], offices["count"]) == (30, 30, 5)
    assert (report["licensed_once"], report["drawn"]) == (["file", "telephone"], 2)
    assert report["named_by_doctor"] == [report["revoked_host"]]
    assert report["revoked_host"].startswith("host2.")
    assert list(tmp_path.iterdir()) == [], "the demo left something behind"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_before_its_end_leaves_nothing_and_is_no_defect(number: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        child = subprocess.Popen(
            [*COMMAND, "--clients", "1", "--small-dns"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": temporary, "PYTHONUNBUFFERED": "1"},
        )
        try:
            assert child.stdout is not None
            assert child.stdout.readline(), "the demo says nothing"
            child.send_signal(number)
            rest, _ = child.communicate(timeout=60)
        finally:
            child.kill()
            child.wait()
        assert child.returncode == 130
        assert b"command/interrupted" in rest
        assert b"nothing is left" in rest
        assert b"Traceback" not in rest
        assert list(Path(temporary).iterdir()) == []


def rows(shown: str) -> dict[str, list[str]]:
    """The table at the end: asked, need, refused, who was licensed first, licensed, count."""
    table = shown.partition("at first  licensed       now    count\n")[2]
    found = {}
    for line in table.splitlines()[:3]:
        name, numbers = line[:13].strip(), line[13:].replace("number ", "#").split()
        found[name] = numbers
    return found


def test_below_the_need_nobody_is_licensed_and_keep_says_what_to_type() -> None:
    """Kept running below the need of desktops, and stopped: nothing is left."""
    with tempfile.TemporaryDirectory() as temporary:
        child = subprocess.Popen(
            [*COMMAND, "--keep", "--clients", "3", "--small-dns"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": temporary, "PYTHONUNBUFFERED": "1"},
        )
        try:
            assert child.stdout is not None
            seen = b""
            limit = time.monotonic() + 120
            while b"muster slmgr /dlv" not in seen and time.monotonic() < limit:
                line = child.stdout.readline()
                if not line:
                    break
                seen += line
            assert b"muster client discover" in seen, seen.decode()
            assert b"muster slmgr /dlv" in seen
            assert rows(seen.decode()) == {
                "Desktops": ["3", "25", "3", "nobody", "0", "8"],
                "Servers": ["5", "5", "1", "#2", "5", "8"],
                "Office suites": ["5", "5", "4", "#5", "5", "5"],
            }
            assert b"\n8. " in seen
            assert b"\n7. " not in seen, "no desktop has a licence to show on another machine"
            child.send_signal(signal.SIGTERM)
            rest, _ = child.communicate(timeout=60)
        finally:
            child.kill()
            child.wait()
        assert b"nothing is left" in rest
        assert list(Path(temporary).iterdir()) == []
