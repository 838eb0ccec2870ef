"""An administrator at a manager."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.desk import Typist


class Desk(Typist):
    """Types commands of `muster manager`."""

    noun = "manager"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, name: str, data: bytes) -> str:
        path = self.folder / name
        path.write_bytes(data)
        return str(path)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return Desk(tmp_path)
