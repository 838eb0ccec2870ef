"""Each command has one example, which its --help shows; test_main_everywhere.py runs them."""

from __future__ import annotations

from click.testing import CliRunner
from tests.cli.test_shapes import commands

from muster.cli.examples import LINES, example_of
from muster.cli.main import muster


def test_every_command_has_one_example() -> None:
    listed = set(commands(muster))
    names = {name: example_of(name) for name in listed}
    assert not [name for name, example in names.items() if not example]
    assert sorted(names.values()) == sorted(LINES)


def test_help_shows_it() -> None:
    for name in ("client status", "slmgr", "publisher key issue"):
        shown = CliRunner().invoke(muster, (*name.split(), "--help")).stdout
        assert f"Example:\n  muster {example_of(name)}\n" in shown
