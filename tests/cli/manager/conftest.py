"""An administrator at a manager."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from muster.cli.main import muster


class Desk:
    """Types commands of `muster manager` and checks their exit codes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def type(self, *words: str, code: int = 0) -> Result:
        done = CliRunner().invoke(muster, ("manager", *words), catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done

    def text(self, *words: str) -> str:
        return self.type(*words).stdout

    def data(self, *words: str, code: int = 0) -> dict[str, Any]:
        value = json.loads(self.type(*words, "--json", code=code).stdout)
        assert isinstance(value, dict)
        return value

    def error(self, *words: str, code: int) -> str:
        """The code of what is refused, the same in JSON and in text, which also tells the fix."""
        found = self.data(*words, code=code)["error"]
        shown = self.type(*words, code=code).stderr
        assert found["code"] in shown
        assert "Fix:" in shown
        return str(found["code"])

    def file(self, name: str, data: bytes) -> str:
        path = self.folder / name
        path.write_bytes(data)
        return str(path)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return Desk(tmp_path)
