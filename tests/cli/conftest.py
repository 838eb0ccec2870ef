"""Whatever a test of the commands runs with `--json` is held against the published schema."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.cli import printed

from muster.cli.main import muster


@pytest.fixture(autouse=True)
def _printed_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner.invoke

    def invoke(self: CliRunner, cli: Any, args: Any = None, *more: Any, **named: Any) -> Result:
        done = run(self, cli, args, *more, **named)
        words = [str(word) for word in args or ()]
        if cli is muster and "--json" in words and done.stdout.startswith("{"):
            printed.judge(words, done.stdout)
        return done

    monkeypatch.setattr(CliRunner, "invoke", invoke)
