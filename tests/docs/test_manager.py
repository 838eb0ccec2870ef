"""The commands of docs/manager.md print what it shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manager.md"
COMMAND = re.compile(r"^\$ (.*(?:\n> .*)*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def steps() -> Iterator[tuple[str, str]]:
    """Each command of the page, and what it prints."""
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        for command, printed in COMMAND.findall(block):
            yield command.replace("\n> ", "\n"), printed


@pytest.mark.real
def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    found = list(steps())
    assert len(found) >= 12
    (tmp_path / "muster").write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m muster "$@"\n', encoding="utf-8"
    )
    (tmp_path / "muster").chmod(0o755)
    env = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
    env |= {
        "PATH": f"{tmp_path}:{env['PATH']}",
        "HOME": str(tmp_path),
        "MUSTER_STORE": str(tmp_path / "store"),
    }
    for command, printed in found:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.stdout, done.stderr) == (printed, ""), command
