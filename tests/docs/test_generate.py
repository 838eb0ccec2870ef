"""docs/generate.py: what it writes it also finds current, and a changed page it does not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from muster.core.audit import Event
from muster.core.catalogue import CATALOGUE
from muster.core.settings import SETTINGS
from muster.core.states import LicenceEvent, LicenceState


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    path = Path(__file__).parents[2] / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate_docs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_written_pages_are_current_until_changed(generate: ModuleType, tmp_path: Path) -> None:
    assert generate.main(["--check"], tmp_path) == 1
    assert generate.main([], tmp_path) == 0
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert written == set(generate.files())
    assert generate.main(["--check"], tmp_path) == 0
    page = tmp_path / "states.md"
    page.write_text(page.read_text("utf-8") + "more\n", "utf-8")
    assert generate.main(["--check"], tmp_path) == 1
    assert generate.main(["--wrong"], tmp_path) == 2


def test_pages_hold_their_tables(generate: ModuleType) -> None:
    errors = generate.text("errors.md")
    assert all(f"\n### {code}\n" in errors for code in CATALOGUE)
    settings = generate.text("settings.md")
    assert all(f"`{setting.env}`" in settings for setting in SETTINGS)
    states = generate.text("states.md")
    assert all(f"| {event.name} |" in states for event in LicenceEvent)
    assert all(f"| {state.value} | {state.name} |" in states for state in LicenceState)
    audit = generate.text("audit.md")
    assert all(f"`{event.value}`" in audit for event in Event)
