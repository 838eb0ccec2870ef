"""The program that `muster client agent` becomes tells its errors as commands do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real


def test_an_error_is_told_as_commands_tell_theirs(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    words = [sys.executable, "-m", "muster", "client", "agent", "--run", str(file / "run")]
    env = {**os.environ, "MUSTER_STORE": str(tmp_path / "store")}
    for more in ((), ("--json",)):
        done = subprocess.run(
            [*words, *more], capture_output=True, text=True, check=False, env=env, timeout=60
        )
        assert done.returncode in (1, 3), done.stderr
        if more:
            assert json.loads(done.stdout)["error"]["fix"]
        else:
            assert "  Fix:  " in done.stderr
