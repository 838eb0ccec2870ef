"""Day 1, 30 and 400 of a host and a publisher: commands, and the alerts that they name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner
from tests.cli.host.conftest import Desk as HostDesk
from tests.cli.host.conftest import active, desk, made, serve, stop
from tests.cli.publisher.conftest import Desk as PublisherDesk
from tests.cli.publisher.conftest import empty
from tests.docs.test_watching import rules

from muster.cli.main import muster

__all__ = ["active", "desk", "empty", "made"]

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {"host": DOCS / "host-years.md", "publisher": DOCS / "publisher-years.md"}
WAITING = {"muster doctor --role host": 1}
"""Commands that may end otherwise on a machine of tests: no DNS is set up there."""


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert lines
    assert all(line.startswith("# muster ") for line in lines)
    return [line.removeprefix("# ") for line in lines]


def play(page: Path, folder: Path, env: Mapping[str, str]) -> None:
    """Type the commands of a page in their order, in a folder in place of the machine's."""
    for name in ("var/backups", "root"):
        (folder / name).mkdir(parents=True)
    passphrase = folder / "root" / "backup-passphrase"
    passphrase.write_text("a long passphrase of a test\n")
    passphrase.chmod(0o600)
    for line in commands(page):
        words = [
            str(folder / word[1:]) if word.startswith("/") else word for word in shlex.split(line)
        ]
        done = CliRunner().invoke(muster, words[1:], env=dict(env))
        assert done.exit_code in {0, WAITING.get(line, 0)}, f"{line}\n{done.output}"
        assert done.output.strip(), line


def test_the_commands_of_a_host(active: HostDesk, tmp_path: Path) -> None:
    active.data("set", "dns-zone", "example.test")
    active.data("set", "dns-target", "muster.example.test")
    process, _ = serve("--port", "0", "--operation-address", "off", "--no-dns")
    try:
        play(PAGES["host"], tmp_path / "machine", {})
    finally:
        stop(process)


def test_the_commands_of_a_publisher(empty: PublisherDesk, tmp_path: Path) -> None:
    empty.init()
    play(PAGES["publisher"], tmp_path / "machine", empty.env)


def test_alerts_of_the_pages_are_the_rules() -> None:
    shown = [
        name
        for page in PAGES.values()
        for name in re.findall(r"^\| `(Muster\w+)` \|", page.read_text("utf-8"), flags=re.MULTILINE)
    ]
    assert len(shown) == len(set(shown))
    assert set(shown) == rules().keys()
