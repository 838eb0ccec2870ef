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


def test_below_the_need_nobody_is_licensed(tmp_path: Path) -> None:
    report = demo("--clients", "3", "--small-dns", temporary=tmp_path)
    desktops, servers, _ = report["fleets"]
    assert (desktops["refused"], desktops["first_licensed"], desktops["licensed"]) == (3, 0, 0)
    assert servers["count"] == desktops["machines"] + servers["machines"]
    assert servers["first_licensed"] == servers["need"] - desktops["machines"]
    assert report["verified_offline"] is False


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


def test_keep_says_what_to_type_and_a_stop_leaves_nothing() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        child = subprocess.Popen(
            [*COMMAND, "--keep", "--clients", "1", "--small-dns"],
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
            child.send_signal(signal.SIGTERM)
            rest, _ = child.communicate(timeout=60)
        finally:
            child.kill()
            child.wait()
        assert b"nothing is left" in rest
        assert list(Path(temporary).iterdir()) == []
