"""Where commands take product keys from: an argument, `-`, a file, a prompt."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from tests.cli.publisher.conftest import Desk, desk, empty

from muster.cli.main import muster

__all__ = ["desk", "empty"]

COMMANDS = (
    ("client", "install-key"),
    ("host", "install-key"),
    ("publisher", "key", "show"),
    ("publisher", "key", "limit", "--hosts", "8", "--reason", "more"),
    ("publisher", "key", "correct", "--add", "1", "--reason", "more"),
    ("publisher", "key", "extend", "--pool", "8"),
    ("publisher", "key", "revoke"),
)
SLMGR = (("slmgr", "/ipk"), ("slmgr", "--host", "/ipk"))


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Commands with an argument that is a product key."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        elif any(
            isinstance(part, click.Argument) and "KEY" in part.make_metavar(context)
            for part in command.params
        ):
            yield (*words, name)


def run(tmp_path: Path, *words: str, given: str | bytes | None = None) -> Result:
    env = {"MUSTER_STORE": str(tmp_path / "nothing")}
    return CliRunner().invoke(muster, [*words, "--json"], input=given, env=env)


def code(result: Result) -> str:
    return str(json.loads(result.stdout)["error"]["code"])


@pytest.fixture
def mak(desk: Desk, tmp_path: Path) -> Path:
    """A file with a multiple activation key."""
    file = tmp_path / "mak.key"
    issue = ("key", "issue", "--kind", "mak", "--pool", "2", "--group", "client-volume")
    desk.text(*issue, "--out", str(file))
    return file


def test_every_command_with_a_key_is_tried_here() -> None:
    tried = {words[: 3 if words[0] == "publisher" else 2] for words in COMMANDS}
    assert set(commands(muster)) - {("host", "remove-key")} == tried  # by last group or key id


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_key_that_others_can_read_is_refused_before_anything(
    mak: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    for mode in (0o644, 0o640, 0o604):
        mak.chmod(mode)
        assert code(run(tmp_path, *words, "--key-file", str(mak))) == "keyfile/rights"


@pytest.mark.parametrize("words", [*COMMANDS, *SLMGR], ids=" ".join)
def test_a_key_comes_from_standard_input_and_nobody_is_asked_on_a_pipe(
    tmp_path: Path, words: tuple[str, ...]
) -> None:

    read = code(run(tmp_path, *words, "-", given="a\nb\n"))
    assert read == "key/file"
    assert code(run(tmp_path, *words, "-", given="")) == "key/file"
    missing = code(run(tmp_path, *words, given="BBBBB-BBBBB-BBBBB-BBBBB-BBBBC\n"))
    assert missing == ("client/slmgr-usage" if words[0] == "slmgr" else "key/none")


def test_a_file_and_standard_input_say_what_an_argument_says(desk: Desk, mak: Path) -> None:
    key = mak.read_text().strip()
    shown = desk.data("key", "show", key)
    assert desk.data("key", "show", "--key-file", str(mak)) == shown
    for data in (
        key.encode(),
        f"\r\n{key}\r\n".encode(),
        codecs.BOM_UTF8 + key.encode() + b"\r\n",
        codecs.BOM_UTF16_LE + f"{key}\r\n".encode("utf-16-le"),
    ):
        words = ["publisher", "key", "show", "-", "--json"]
        found = CliRunner().invoke(muster, words, input=data, env=desk.env)
        assert json.loads(found.stdout) == shown
    assert desk.run("key", "show", key, "--key-file", str(mak)).exit_code == 2


def test_what_is_no_secret_may_be_read_by_all(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "setup.key"
    product = desk.data("product", "list")["products"][0]
    revoke = ("key", "revoke", "--key-file", str(file))
    for text, status, refusal in (
        (product["setup_key"], 2, "publisher/kind"),
        ("1-2-3", 1, "publisher/unknown-key"),
    ):
        file.write_text(f"{text}\n")
        file.chmod(0o644)
        assert desk.refused(*revoke, code=status) == refusal


def test_files_that_hold_no_key_or_several(desk: Desk, mak: Path) -> None:
    key = mak.read_text()
    for text in ("", "\n \n", key + key, key + "# a note\n"):
        mak.write_text(text)
        assert desk.refused("key", "show", "--key-file", str(mak), code=2) == "key/file"
    missing = str(mak.with_name("none"))
    assert desk.refused("key", "show", "--key-file", missing, code=3) == "file/missing"


@pytest.mark.real
def test_a_terminal_is_asked(desk: Desk, mak: Path) -> None:
    key = mak.read_text().strip()
    master, slave = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "muster", "publisher", "key", "show"],
        env=os.environ | desk.env | {"TERM": "dumb"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    seen, typed, end = "", False, time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([master], [], [], 0.2)[0]:
            with contextlib.suppress(OSError):
                seen += os.read(master, 65536).decode()
        if "Product key" in seen and not typed:
            os.write(master, key.encode() + b"\n")
            typed = True
        if "Pool:" in seen:
            break
    assert program.wait(60) == 0
    os.close(master)
    assert f"XXXXX-XXXXX-XXXXX-XXXXX-{key[-5:]}" in seen
