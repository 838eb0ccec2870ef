"""`muster manager` without a word says what there is."""

from __future__ import annotations

from click.testing import CliRunner

from muster.cli.main import muster
from muster.cli.manager import COMMANDS


def test_its_help_lists_every_command() -> None:
    shown = CliRunner().invoke(muster, ("manager", "--help")).stdout
    assert "docs/manager.md" in shown
    for name in COMMANDS:
        assert f"\n  {name} " in shown, name
